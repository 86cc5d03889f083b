//! OpenID Connect: one endpoint, one file; one grant, one file.

pub mod discovery;
pub mod family;
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
}
