//! OpenID Connect: one endpoint, one file; one grant, one file.

pub mod activity;
pub mod authorize;
pub mod client;
pub mod code;
pub mod discovery;
pub mod family;
pub mod id_token_hint;
pub mod interaction;
pub mod logout;
pub mod token;
pub mod userinfo;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::pages::paths;

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
        .route("/token", post(token::token))
        .route(
            "/userinfo",
            get(userinfo::userinfo).post(userinfo::userinfo),
        )
        .route("/logout", get(logout::logout).post(logout::logout))
        .route(paths::LOGOUT_CONFIRM, post(logout::confirm))
        .route("/activity", post(activity::activity))
}
