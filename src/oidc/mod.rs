//! OpenID Connect: one endpoint, one file; one grant, one file.

pub mod acted;
pub mod activity;
pub mod authorize;
mod bearer;
pub mod client;
pub mod clinic;
pub mod code;
pub mod consent;
pub mod cors;
pub mod discovery;
pub mod family;
pub mod handover;
pub mod id_token_hint;
pub mod interaction;
pub mod introspection;
pub mod logout;
mod report;
pub mod revocation;
pub mod scope;
pub mod sessions_end;
pub mod token;
pub mod userinfo;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::pages::paths;

/// The protocol's endpoints. The first six may be called by the pages of registered clients.
pub fn routes(app: &App) -> Router<App> {
    let for_browsers = Router::new()
        .merge(discovery::routes(app))
        .route("/token", post(token::token))
        .route("/revoke", post(revocation::revoke))
        .route(
            "/userinfo",
            get(userinfo::userinfo).post(userinfo::userinfo),
        )
        .route_layer(cors::RegisteredOrigins::of(app));
    Router::new()
        .merge(for_browsers)
        .route(
            "/authorize",
            get(authorize::authorize).post(authorize::authorize),
        )
        .route("/authorize/resume", get(authorize::resume))
        .route(
            paths::CONSENT,
            get(authorize::consent::show).post(authorize::consent::take),
        )
        .route(paths::SIGN_IN_DECLINE, post(authorize::decline::take))
        .route("/clinics/{name}", get(clinic::clinic))
        .route("/logout", get(logout::logout).post(logout::logout))
        .route(paths::LOGOUT_CONFIRM, post(logout::confirm))
        .route("/introspect", post(introspection::introspect))
        .route("/activity", post(activity::activity))
        .route("/activity/acted", post(acted::acted))
}
