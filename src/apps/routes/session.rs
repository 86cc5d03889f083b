//! What the script of a page asks: how long the session lasts, and that a person did something.

use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use http::HeaderMap;
use http::header::{ACCEPT, REFERER};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::HOME;
use super::browser::SetCookies;
use super::door::Door;
use super::outcome::AppError;
use crate::apps::RelyingParty;
use crate::apps::api::Me;
use crate::apps::model::AppSession;
use crate::apps::policy;
use crate::apps::sites::Site;
use crate::apps::standing::{Standing, note_act};
use crate::pages::{EndReason, SessionFacts, paths};

/// How old the issuer's word may be when a page is shown: a logout elsewhere counts at once, and
/// the assets' and script's requests that follow do not ask again.
pub(super) const PATIENCE_OF_A_PAGE: Duration = Duration::SECOND;
/// The same when a script asks.
pub(super) const PATIENCE_OF_A_POLL: Duration = Duration::seconds(5);

/// `GET /session`: never activity.
pub(super) async fn session(door: Door) -> Response {
    match door.standing(PATIENCE_OF_A_POLL).await {
        Ok(Standing::Live(session)) => Json(told(&door.rp, &session)).into_response(),
        Ok(Standing::Ended(reason)) => ended(&door.rp, reason),
        Ok(Standing::Nobody) => Json(json!({ "signed_in": false })).into_response(),
        Err(error) => AppError::from(error)
            .status(&door.rp, &door.id)
            .into_response(),
    }
}

#[derive(Deserialize)]
pub(super) struct ActivityForm {
    csrf: String,
}

/// `POST /session/activity`: a person did something in a page of ours.
pub(super) async fn activity(door: Door, Form(form): Form<ActivityForm>) -> Response {
    let (rp, id) = (&door.rp, &door.id);
    let is_script = door
        .headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accepted| accepted.contains("application/json"));
    // No [`Sent`](super::door::Sent): a script is told by the status alone.
    if !door.browser.owns(rp, &form.csrf) {
        let no = AppError::Forged;
        return if is_script {
            no.status(rp, id).into_response()
        } else {
            door.refuse(no)
        };
    }
    match act(&door).await {
        Ok(Standing::Live(session)) if is_script => Json(told(rp, &session)).into_response(),
        Ok(Standing::Ended(reason)) if is_script => ended(rp, reason),
        Ok(Standing::Nobody) if is_script => Json(json!({ "signed_in": false })).into_response(),
        Ok(Standing::Ended(reason)) => ended_page(rp, reason),
        Ok(_) => Redirect::to(&back(&door.headers, &door.site)).into_response(),
        Err(error) if is_script => error.status(rp, id).into_response(),
        Err(error) => door.refuse(error),
    }
}

/// Tells the issuer, by way of the API, and notes it here: the issuer may hear of it only later.
async fn act(door: &Door) -> Result<Standing, AppError> {
    let found = door.standing(PATIENCE_OF_A_POLL).await?;
    let Standing::Live(mut session) = found else {
        return Ok(found);
    };
    let (rp, token) = (&door.rp, &session.tokens.access_token);
    match rp.api().get::<Me>("me", token, true).await {
        Ok(_) => note_act(rp, &mut session).await?,
        // It was not counted, so the clocks must not say so.
        Err(error) => tracing::warn!(detail = ?error, "an act was not counted"),
    }
    Ok(Standing::Live(session))
}

/// The page that the form was on, if the browser says; never another site's.
fn back(headers: &HeaderMap, site: &Site) -> String {
    let from = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let path = from.and_then(|from| from.strip_prefix(&site.origin));
    path.filter(|p| p.starts_with('/') && !p.starts_with("//"))
        .unwrap_or(HOME)
        .to_owned()
}

fn ended(rp: &RelyingParty, reason: EndReason) -> Response {
    let body = Json(json!({ "signed_in": false, "reason": reason.word() }));
    (SetCookies::of(rp.kind()).no_session(), body).into_response()
}

/// To the page that says why.
pub(super) fn ended_page(rp: &RelyingParty, reason: EndReason) -> Response {
    let to = format!("{}?reason={}", paths::SIGNED_OUT, reason.word());
    (SetCookies::of(rp.kind()).no_session(), Redirect::to(&to)).into_response()
}

fn told(rp: &RelyingParty, session: &AppSession) -> Value {
    let idle_ends_at = policy::idle_ends_at(&session.told, session.active_at);
    json!({
        "server_now": unix_milliseconds(rp.app().env.now()),
        "idle_ends_at": unix_milliseconds(idle_ends_at),
        "session_ends_at": unix_milliseconds(session.told.session_ends_at),
        "signed_in": true,
    })
}

/// The same for a page.
pub(super) fn facts(rp: &RelyingParty, session: &AppSession, csrf: &str) -> SessionFacts {
    let limit = session.told.idle_limit.whole_seconds();
    SessionFacts {
        server_now: rp.app().env.now(),
        idle_ends_at: policy::idle_ends_at(&session.told, session.active_at),
        session_ends_at: session.told.session_ends_at,
        idle_limit_seconds: u32::try_from(limit).unwrap_or(u32::MAX),
        csrf: csrf.into(),
        sign_out_path: paths::APP_SIGN_OUT,
    }
}

fn unix_milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).expect("a year below 9999 fits")
}
