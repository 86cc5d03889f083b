//! The outside: the one list of routes, and how errors and pages are said.

pub mod around;
pub(crate) mod bearer;
pub mod browser;
pub mod document;
pub mod form;
pub mod hosts;
pub mod layers;
pub mod line;
pub mod oauth_error;
pub mod own_form;
pub mod page;
pub mod peer;
pub mod pieces;
pub mod problem;
pub mod turned_away;
pub mod visit;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use self::hosts::OwnHost;
use self::layers::{EveryAnswer, RequestId};
use self::page::PageError;
use crate::app::App;
use crate::config::PlaneName;
use crate::db::StoreError;
pub(crate) use crate::db::chain;
use crate::{account, api, inspection, oidc, pages, recovery, revocation, sessions, sign_in};

/// No request of ours is larger: forms and tokens only.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// Everything the issuer answers: the routes of the planes that this process serves.
///
/// # Errors
/// [`StoreError`] if the roles that guard the API can't be read.
pub async fn issuer(app: &App) -> Result<Router, StoreError> {
    let planes = &app.config.planes;
    let mut routes = Router::new();
    if planes.serve(PlaneName::Identity) {
        routes = routes
            .merge(oidc::routes(app))
            .merge(sign_in::routes())
            .merge(account::routes())
            .merge(inspection::keys::routes())
            .merge(recovery::routes())
            .merge(revocation::routes::routes())
            .merge(sessions::routes::routes());
    }
    if planes.serve(PlaneName::Tenant) {
        routes = routes.merge(api::router(app).await?);
    }
    let issuer = routes
        .route("/assets/{name}", get(asset))
        .fallback(nothing_here)
        .layer(EveryAnswer::of(app, OwnHost::of(app), MAX_BODY_BYTES))
        .with_state(app.clone());
    Ok(issuer)
}

/// `GET /assets/{name}`: the style sheet, the script, the marks. Their names change with content.
pub async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = pages::asset(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = asset.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    let for_a_year = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(CACHE_CONTROL, for_a_year);
    response
}

/// A page for who reads pages; the status alone for all else.
async fn nothing_here(State(app): State<App>, id: RequestId, headers: HeaderMap) -> Response {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        PageError::NotFound.respond(&app, &id)
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}
