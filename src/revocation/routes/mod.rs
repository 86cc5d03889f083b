//! What a resource server asks of what ended: the stream, what is in force, a poll, and how it
//! stands itself.

mod poll;
mod receiver;
mod ssf;
mod standing;
mod stream;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::HeaderMap;
use serde_json::json;

use super::model::Subscriber;
use super::service;
use crate::app::App;
use crate::http::oauth_error::OAuthError;
use crate::oidc::client::authentication::authenticate_resource;

/// For authenticated resource servers alone.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/revocations", get(stream::stream))
        .route("/revocations/snapshot", get(snapshot))
        .route("/revocations/poll", post(poll::poll))
        .route("/revocations/standing", post(standing::report))
        .merge(ssf::routes())
}

async fn subscriber(app: &App, headers: &HeaderMap) -> Result<Subscriber, OAuthError> {
    let client = authenticate_resource(app, headers).await?;
    Ok(Subscriber {
        tenant: client.tenant,
        client: client.id,
        audiences: client.audiences,
    })
}

/// `GET /revocations/snapshot`: all that is in force for the caller, and where the stream goes on.
async fn snapshot(State(app): State<App>, headers: HeaderMap) -> Response {
    let asked = async {
        let subscriber = subscriber(&app, &headers).await?;
        Ok::<_, OAuthError>(service::snapshot(&app, &subscriber).await?)
    };
    match asked.await {
        Ok(snapshot) => {
            let sets: Vec<&str> = snapshot.sets.iter().map(AsRef::as_ref).collect();
            let body = json!({
                "position": snapshot.position,
                "issuer_time": snapshot.complete_at.unix_timestamp(),
                "sets": sets,
            });
            Json(body).into_response()
        }
        Err(error) => error.into_response(),
    }
}
