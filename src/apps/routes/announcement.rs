//! `POST /announcement`: the console's administrator tells the clinic's people something. The API
//! wants a second factor proved just now: what was typed is kept, she confirms at the issuer, and
//! it is sent when she comes back (RFC 9470).

use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;

use super::door::{Answer, Door, Sent};
use super::outcome::AppError;
use super::sign_in;
use crate::apps::api::ApiError;
use crate::apps::model::AppSession;
use crate::apps::{RelyingParty, service};

/// Values of `?done=`: it is said.
pub(super) const SAID: &str = "said";
/// It is kept, and not said yet.
pub(super) const KEPT: &str = "kept";
/// It can't be said as it is.
pub(super) const UNFIT: &str = "unfit";

/// More than any announcement, and little enough to be kept.
const MOST_BYTES: usize = 3000;

#[derive(Debug, Deserialize)]
pub(super) struct Typed {
    text: String,
}

/// The handler.
pub(super) async fn announce(door: Door, Sent(typed): Sent<Typed>) -> Answer {
    let session = door.session().await?;
    let taken = take(&door, &session, &typed.text).await;
    taken.map_err(|error| door.refuse(error))
}

async fn take(door: &Door, session: &AppSession, text: &str) -> Result<Response, AppError> {
    if text.len() > MOST_BYTES {
        return Ok(home(UNFIT));
    }
    let rp = &door.rp;
    keep(rp, session.id, Some(text)).await?;
    match send(rp, &session.tokens.access_token, text).await {
        Ok(()) => {
            keep(rp, session.id, None).await?;
            Ok(home(SAID))
        }
        Err(ApiError::StepUp(challenge)) => sign_in::step_up(door, &challenge, text).await,
        Err(refused) => Ok(home(word(refused))),
    }
}

/// Says it with the token that she confirmed for; gives what the first page tells of it. What
/// could not be said is kept in the session that she has now.
pub(super) async fn send_kept(
    rp: &RelyingParty,
    session: uuid::Uuid,
    access_token: &str,
    text: &str,
) -> Result<Response, AppError> {
    match send(rp, access_token, text).await {
        Ok(()) => Ok(home(SAID)),
        Err(refused) => {
            keep(rp, session, Some(text)).await?;
            Ok(home(word(refused)))
        }
    }
}

/// Keeps what she typed with her session, or forgets it.
pub(super) async fn keep(
    rp: &RelyingParty,
    session: uuid::Uuid,
    text: Option<&str>,
) -> Result<(), AppError> {
    let app = rp.app();
    let keeping = app.db.run(service::authority(session), async |tx| {
        service::keep_draft(tx, app, session, text).await
    });
    Ok(keeping.await?)
}

async fn send(rp: &RelyingParty, access_token: &str, text: &str) -> Result<(), ApiError> {
    let body = json!({ "text": text });
    rp.api().post("announcement", access_token, &body).await
}

fn word(refused: ApiError) -> &'static str {
    match refused.shown().status {
        400 => UNFIT,
        _ => KEPT,
    }
}

fn home(done: &str) -> Response {
    Redirect::to(&format!("{}?done={done}", super::HOME)).into_response()
}
