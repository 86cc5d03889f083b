//! What tells whether this process lives and serves; on addresses of its own.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;

use crate::app::App;

/// A database that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// Everything the operations addresses answer. Nothing of it names a clinic or a person.
pub fn operations(app: &App) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .with_state(app.clone())
}

/// `GET /readyz`: 200 while every plane's login opens a transaction, else 503.
pub async fn readyz(State(app): State<App>) -> (StatusCode, &'static str) {
    match tokio::time::timeout(PATIENCE, app.db.ready()).await {
        Ok(Ok(())) => (StatusCode::OK, "ready\n"),
        Ok(Err(error)) => {
            tracing::warn!(detail = %super::chain(&error), "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        }
        Err(_) => {
            tracing::warn!("not ready: the database does not answer in time");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        }
    }
}
