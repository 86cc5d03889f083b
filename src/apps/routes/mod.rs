//! What an app answers: its pages, its sign-in and sign-out, and what its script asks.

mod accesses;
mod announcement;
mod browser;
mod callback;
mod deed;
mod door;
mod emergency;
mod home;
mod log;
mod outcome;
mod platform;
mod proxies;
mod reviews;
mod session;
mod sign_in;
mod sign_out;
mod support;
mod surroundings;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{Method, StatusCode};

use super::RelyingParty;
use super::model::Kind;
use super::sites::{Found, Site};
use crate::http::hosts::{Hosts, sole_host};
use crate::http::layers::{EveryAnswer, RequestId};
use crate::pages::paths;
use door::Door;
use outcome::AppError;

/// The path of the redirect address.
pub const CALLBACK: &str = "/callback";
/// Home, or the front page for who is not signed in.
pub const HOME: &str = "/";

const MAX_BODY_BYTES: usize = 16 * 1024;

/// One app's router.
pub fn router(rp: &RelyingParty) -> Router {
    let app = rp.app();
    Router::new()
        .route(HOME, get(home::home))
        .route(paths::APP_SIGN_IN, get(sign_in::sign_in))
        .route(CALLBACK, get(callback::callback))
        .route(paths::APP_SIGN_OUT, post(sign_out::sign_out))
        .route(paths::SIGNED_OUT, get(sign_out::signed_out))
        .route(paths::SESSION, get(session::session))
        .route(paths::SESSION_ACTIVITY, post(session::activity))
        .route("/assets/{name}", get(crate::http::asset))
        .merge(own_pages(rp.kind()))
        .fallback(nothing_here)
        .layer(EveryAnswer::of(app, OwnHosts(rp.clone()), MAX_BODY_BYTES))
        .with_state(rp.clone())
}

/// What one app has and the others don't.
fn own_pages(kind: Kind) -> Router<RelyingParty> {
    match kind {
        Kind::Patient => Router::new()
            .route(paths::APP_ACCESSES, get(accesses::accesses))
            .route(paths::APP_PROXIES, get(proxies::show).post(proxies::end))
            .route(paths::APP_PROXIES_NAME, post(proxies::name_caregiver))
            .route(paths::APP_PROXIES_VISITS, get(proxies::visits)),
        Kind::Clinician => Router::new()
            .route(
                paths::APP_EMERGENCY,
                get(emergency::show).post(emergency::open_record),
            )
            .route(paths::APP_EMERGENCY_PATIENTS, post(emergency::seek))
            .route(paths::APP_EMERGENCY_CLOSE, post(emergency::close))
            .route(paths::APP_EMERGENCY_VISITS, get(emergency::visits)),
        Kind::Console => Router::new()
            .merge(log_pages())
            .route(paths::APP_ANNOUNCEMENT, post(announcement::announce))
            .route(
                paths::APP_EMERGENCIES,
                get(emergency::queue).post(emergency::review),
            )
            .route(
                paths::APP_DELEGATIONS,
                get(proxies::list).post(proxies::create),
            )
            .route(paths::APP_DELEGATIONS_END, post(proxies::end_by_clinic))
            .route(paths::APP_SUPPORT, get(support::list).post(support::answer))
            .route(paths::APP_SUPPORT_END, post(support::end)),
        Kind::Platform => platform::routes().merge(log_pages()),
    }
}

/// A log and what is done with it.
fn log_pages() -> Router<RelyingParty> {
    Router::new()
        .route(paths::APP_LOG, get(log::log))
        .route(paths::APP_LOG_NEWS, get(log::news))
        .route(paths::APP_LOG_EXPORT, post(log::export))
        .route(paths::APP_REVIEWS, get(reviews::list).post(reviews::sign))
}

/// The app's own host and its clinics' alone (TEN-01).
#[derive(Debug)]
struct OwnHosts(RelyingParty);

impl Hosts for OwnHosts {
    async fn refuse(&self, request: &mut Request, id: &RequestId) -> Option<Response> {
        let Self(rp) = self;
        let Some(host) = sole_host(request) else {
            return Some(StatusCode::BAD_REQUEST.into_response());
        };
        match rp.sites().find(rp, &host).await {
            Ok(Found::Here(site)) => {
                request.extensions_mut().insert(site);
                None
            }
            Ok(Found::Elsewhere(origin)) if *request.method() == Method::GET => {
                let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
                Some(Redirect::temporary(&format!("{origin}{path}")).into_response())
            }
            // The page below needs its style sheet; nothing there is anybody's.
            Ok(Found::Stranger) if request.uri().path().starts_with(paths::ASSETS) => None,
            Ok(Found::Elsewhere(_) | Found::Stranger) => {
                let frame = crate::http::page::frame(id);
                Some(outcome::no_clinic(frame))
            }
            Err(error) => {
                let origin = rp.sites().origin(None);
                let here = Site {
                    origin,
                    clinic: None,
                };
                Some(AppError::Issuer(format!("{error:?}")).respond(rp, &here, id))
            }
        }
    }
}

async fn nothing_here(door: Door) -> Response {
    door.refuse(AppError::NotFound)
}
