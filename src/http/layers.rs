//! What holds for every answer: a request id, a log line, headers, the host, an end to panics.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::response::{IntoResponse as _, Response};
use axum::routing::Route;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use tower::{Layer as _, Service as _};
use tower_http::limit::RequestBodyLimitLayer;

use super::around::{Around, Surround};
use super::hosts::Hosts;
use super::line::{self, Facts};
use super::turned_away;
use crate::app::App;
use crate::audit::Trace;
use crate::metrics::{Answered, known_method};

/// Names one request in the process's log, in what it records, on error pages and in
/// `x-request-id`: 16 hex digits. Knows what every page must say of the process that answers it.
#[derive(Clone, Debug)]
pub struct RequestId {
    trace: Option<Trace>,
    is_of_a_demo: bool,
}

impl RequestId {
    fn new(app: &App) -> Self {
        Self {
            trace: Some(Trace::random(&app.env)),
            is_of_a_demo: app.config.is_demo,
        }
    }

    /// Of an answer that has none: the request is still being worked on.
    pub const fn unknown() -> Self {
        Self {
            trace: None,
            is_of_a_demo: false,
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        self.trace.as_ref().map_or("unknown", Trace::as_str)
    }

    /// Does `work` so that every event it records names this request.
    async fn of_its_events<T>(&self, work: impl Future<Output = T>) -> T {
        match self.trace {
            Some(trace) => trace.around(work).await,
            None => work.await,
        }
    }

    /// Whether everybody and everything here is made up.
    pub const fn is_of_a_demo(&self) -> bool {
        self.is_of_a_demo
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let given = parts.extensions.get::<Self>().cloned();
        Ok(given.unwrap_or_else(Self::unknown))
    }
}

/// Which face a request came to: put beside it by the serving loop.
#[derive(Clone, Copy, Debug)]
pub struct FaceName(pub &'static str);

/// Marks the answer of a handler that panicked, for whoever counts.
#[derive(Clone, Copy, Debug)]
pub struct Panicked;

/// All of it around the routes of one face, in one layer ([`super::around`] says why).
#[derive(Debug)]
pub struct EveryAnswer<H> {
    app: App,
    hosts: H,
    body_limit: RequestBodyLimitLayer,
}

impl<H: Hosts> EveryAnswer<H> {
    /// - `hosts`: the face's
    /// - `most_body_bytes`: no request of the face has a larger body
    pub fn of(app: &App, hosts: H, most_body_bytes: usize) -> Surround<Self> {
        Surround::with(Self {
            app: app.clone(),
            hosts,
            body_limit: RequestBodyLimitLayer::new(most_body_bytes),
        })
    }

    /// What is said in place of the route.
    async fn before(&self, request: &mut Request, id: &RequestId) -> Option<Response> {
        if let Some(no_service) = turned_away::answer(request, id) {
            return Some(no_service);
        }
        self.hosts.refuse(request, id).await
    }

    async fn bounded(&self, request: Request, mut route: Route) -> Response {
        // Nothing is there to bound: most requests are spared a box around both bodies.
        if request.body().is_end_stream() {
            let Ok(response) = route.call(request).await;
            return response;
        }
        let Ok(response) = self.body_limit.layer(route).call(request).await;
        response.map(Body::new)
    }
}

impl<H: Hosts> Around for EveryAnswer<H> {
    /// Gives the request its id; counts it and writes one line when it is answered.
    async fn answer(&self, mut request: Request, route: Route) -> Response {
        let asked = Asked::of(&request, &self.app);
        request.extensions_mut().insert(asked.id.clone());
        let work = async {
            match self.before(&mut request, &asked.id).await {
                Some(said) => said,
                None => catching(self.bounded(request, route)).await,
            }
        };
        let work = line::gathering(asked.id.of_its_events(work));
        let (mut response, facts) = work.await;
        asked.answered(&self.app, response.status().as_u16(), &facts);
        protect(response.headers_mut());
        let id = HeaderValue::from_str(asked.id.as_str()).expect("hex digits are a header value");
        response.headers_mut().insert(X_REQUEST_ID, id);
        response
    }
}

/// What is said of a request when it is answered. Never its path or its query: they may hold a
/// code or a name.
struct Asked {
    id: RequestId,
    face: &'static str,
    method: &'static str,
    route: Option<MatchedPath>,
    began: Instant,
}

impl Asked {
    fn of(request: &Request, app: &App) -> Self {
        let face = request.extensions().get::<FaceName>();
        Self {
            id: RequestId::new(app),
            face: face.map_or("none", |FaceName(name)| *name),
            method: known_method(request.method().as_str()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            began: Instant::now(),
        }
    }

    fn answered(&self, app: &App, status: u16, facts: &Facts) {
        let took = self.began.elapsed();
        let route = self.route.as_ref().map_or("none", MatchedPath::as_str);
        app.metrics.answered(&Answered {
            face: self.face,
            method: self.method,
            route,
            status,
            took,
        });
        tracing::info!(
            request_id = %self.id,
            face = self.face,
            tenant = facts.tenant.map(tracing::field::display),
            actor = facts.actor.map(tracing::field::display),
            client = facts.client.as_ref().map(tracing::field::display),
            method = self.method,
            route,
            status,
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            error.code = facts.error_code,
            "request"
        );
    }
}

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Of every answer, unless its handler said otherwise (WEB-05, WEB-10, WEB-15).
static PROTECTING: [(HeaderName, HeaderValue); 7] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=63072000; includeSubDomains"),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        CROSS_ORIGIN_OPENER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
];

/// Adds the headers that every answer carries.
pub fn protect(headers: &mut HeaderMap) {
    // With the request's id; a `cache-control` is mostly there already.
    headers.reserve(PROTECTING.len());
    for (name, value) in &PROTECTING {
        headers.entry(name).or_insert_with(|| value.clone());
    }
}

/// What `work` gives, whether or not it panics.
async fn catching(work: impl Future<Output = Response>) -> Response {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| Poll::Ready(panicked()))
    })
    .await
}

/// What a panic is answered with: it costs this one request. What it says goes nowhere: it may
/// hold what it broke on. Where it was is in the log (`cli::serve`).
pub fn panicked() -> Response {
    line::note(|facts| facts.error_code = Some("panic"));
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Panicked);
    response
}
