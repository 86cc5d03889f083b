//! OpenID Connect: one endpoint, one file; one grant, one file.

pub mod authorize;
pub mod client;
pub mod code;
pub mod discovery;
pub mod family;
pub mod id_token_hint;
pub mod interaction;

use axum::Router;
use axum::routing::get;

use crate::app::App;

/// The protocol's endpoints.
pub fn routes() -> Router<App> {
    Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(discovery::metadata),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(discovery::metadata),
        )
        .route("/jwks", get(discovery::jwks))
        .route(
            "/authorize",
            get(authorize::authorize).post(authorize::authorize),
        )
        .route("/authorize/resume", get(authorize::resume))
}
