//! The operations face: is the process alive, is it ready, how is it. Not for the public.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::app::App;
use crate::config::MailDelivery;
use crate::http::layers::{RequestId, protect};
use crate::http::turned_away;
use crate::metrics;

/// Whether the process is on its way out: told by the server, asked by `/readyz`.
#[derive(Clone, Debug, Default)]
pub struct Leaving(Arc<AtomicBool>);

impl Leaving {
    pub(super) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Clone, Debug)]
struct Watched {
    app: App,
    leaving: Leaving,
}

pub(super) fn router(app: &App, leaving: &Leaving) -> Router {
    Router::new()
        .route("/livez", get(async || StatusCode::NO_CONTENT))
        .route("/readyz", get(readyz))
        .route("/metrics", get(read_metrics))
        .layer(middleware::from_fn(under_the_usual_headers))
        .with_state(Watched {
            app: app.clone(),
            leaving: leaving.clone(),
        })
}

/// Neither counted nor logged: who asks does so all the time.
async fn under_the_usual_headers(request: Request, next: Next) -> Response {
    let mut response = match turned_away::answer(&request, &RequestId::unknown()) {
        Some(no_service) => no_service,
        None => next.run(request).await,
    };
    protect(response.headers_mut());
    response
}

/// 200 when everything that serving needs is there, else 503 with the names of what is not.
/// `degraded` names what people miss and no other server would do better: it takes none out of
/// service. Reasons are in the log.
async fn readyz(State(Watched { app, leaving }): State<Watched>) -> Response {
    let mut failing: Vec<&'static str> = Vec::new();
    if leaving.has_begun() {
        failing.push("leaving");
    }
    let (doubt, database) = tokio::join!(app.ring_doubt(), app.db.failing());
    if let Some(doubt) = doubt {
        tracing::warn!(part = "signing_keys", detail = %doubt, "not ready");
        failing.push("signing_keys");
    }
    for (part, error) in database {
        tracing::warn!(part, detail = %crate::http::chain(&error), "not ready");
        failing.push(part);
    }
    let is_ready = failing.is_empty();
    let degraded = degraded(&app);
    let body = json!({ "ready": is_ready, "failing": failing, "degraded": degraded });
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(body)).into_response()
}

/// Mail that goes nowhere because nobody asked for it is no fault.
fn degraded(app: &App) -> Vec<&'static str> {
    let is_posted = app.config.mail.delivery != MailDelivery::None;
    let stands_still = is_posted && app.post.stands_still(app.env.now());
    let is_late = app.anchoring.is_late(app.env.now());
    let degraded = [(stands_still, "mail"), (is_late, "anchor")];
    let degraded = degraded.into_iter().filter(|(is_so, _)| *is_so);
    degraded.map(|(_, part)| part).collect()
}

async fn read_metrics(State(Watched { app, .. }): State<Watched>) -> Response {
    let mut response = app.metrics.text(&app).into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
