//! The operations face: is the process alive, is it ready. Not for the public.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::json;

use crate::app::App;

pub(super) fn router(app: &App) -> Router {
    Router::new()
        .route("/livez", get(async || StatusCode::NO_CONTENT))
        .route("/readyz", get(readyz))
        .with_state(app.clone())
}

/// 200 when a sealed transaction goes through, else 503 with the failing part's name.
async fn readyz(State(app): State<App>) -> Response {
    match app.db.ready().await {
        Ok(()) => Json(json!({ "ready": true })).into_response(),
        Err(error) => {
            tracing::warn!(detail = %crate::http::chain(&error), "not ready");
            let body = Json(json!({ "ready": false, "failing": "database" }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}
