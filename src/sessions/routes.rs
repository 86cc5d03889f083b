//! The session as our own pages and their script see it.

use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::header::ACCEPT;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::present::{self, Presence};
use super::{Clocks, EndReason};
use crate::app::App;
use crate::db::{Authority, Identity};
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page};
use crate::http::visit::Visit;
use crate::pages::{self, SignedOutPage, paths};

/// The pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route(paths::SESSION, get(show))
        .route(paths::SESSION_ACTIVITY, post(note))
        .route(paths::SIGNED_OUT, get(signed_out))
}

/// `GET /session`: when the session ends. No activity.
async fn show(visit: Visit) -> Response {
    let result = async {
        let presence = present::find_own(&visit.app, visit.browser.session.as_ref()).await?;
        Ok(match presence {
            Presence::Here(present) => facts(visit.app.env.now(), present.clocks),
            Presence::Lapsed(reason) | Presence::Over(reason) => {
                nobody(visit.app.env.now(), Some(reason))
            }
            Presence::Nobody => nobody(visit.app.env.now(), None),
        })
    };
    visit.answer(result.await)
}

#[derive(Debug, Deserialize)]
struct Nothing {}

/// `POST /session/activity`: the person did something on a page of ours.
async fn note(WantsJson(wants_json): WantsJson, form: OwnForm<Nothing>) -> Response {
    let visit = form.visit;
    let result = async {
        let app = &visit.app;
        let now = app.env.now();
        let present = match present::find_own(app, visit.browser.session.as_ref()).await? {
            Presence::Here(present) => present,
            Presence::Lapsed(reason) | Presence::Over(reason) if wants_json => {
                return Ok(nobody(now, Some(reason)));
            }
            Presence::Nobody if wants_json => return Ok(nobody(now, None)),
            Presence::Lapsed(_) | Presence::Over(_) | Presence::Nobody => {
                return Ok(Redirect::to(paths::ACCOUNT).into_response());
            }
        };
        let authority = Authority::<Identity>::account(present.proof.0);
        let clocks = app
            .db
            .run(authority, async |tx| {
                present::touch(tx, app, &present).await
            })
            .await?;
        Ok::<_, PageError>(if wants_json {
            facts(now, clocks)
        } else {
            Redirect::to(paths::ACCOUNT).into_response()
        })
    };
    visit.answer(result.await)
}

/// `GET /signed-out?reason=`. With a live session: home.
async fn signed_out(visit: Visit) -> Response {
    let result = async {
        let presence = present::find_own(&visit.app, visit.browser.session.as_ref()).await?;
        if let Presence::Here(_) = presence {
            return Ok(Redirect::to(paths::ACCOUNT).into_response());
        }
        let reason = visit.parameter("reason");
        let shown = SignedOutPage {
            frame: visit.frame(),
            reason: pages::EndReason::from_word(reason.as_deref()),
            sign_in_href: Some(paths::ACCOUNT.to_owned()),
        };
        Ok(page(StatusCode::OK, &shown))
    };
    visit.answer(result.await)
}

/// Whether the page's script asks, or a form without it.
struct WantsJson(bool);

impl<S: Sync> axum::extract::FromRequestParts<S> for WantsJson {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        _: &S,
    ) -> Result<Self, Self::Rejection> {
        let accept = parts
            .headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok());
        Ok(Self(
            accept.is_some_and(|accept| accept.contains("application/json")),
        ))
    }
}

fn facts(now: OffsetDateTime, clocks: Clocks) -> Response {
    let body = json!({
        "signed_in": true,
        "server_now": unix_milliseconds(now),
        "idle_ends_at": unix_milliseconds(clocks.idle_ends_at),
        "session_ends_at": unix_milliseconds(clocks.session_ends_at),
    });
    Json(body).into_response()
}

fn nobody(now: OffsetDateTime, reason: Option<EndReason>) -> Response {
    let mut body = json!({ "signed_in": false, "server_now": unix_milliseconds(now) });
    if let Some(reason) = reason {
        body["reason"] = json!(pages::EndReason::from(reason).word());
    }
    Json(body).into_response()
}

fn unix_milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).expect("a year below 9999 fits")
}

impl From<EndReason> for pages::EndReason {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::SignedOut => Self::SignedOut,
            EndReason::Idle => Self::Idle,
            EndReason::Absolute => Self::Expired,
            EndReason::EndedElsewhere
            | EndReason::PasswordChanged
            | EndReason::Replaced
            | EndReason::Administered
            | EndReason::Displaced => Self::Elsewhere,
        }
    }
}
