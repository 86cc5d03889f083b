//! `POST /sign-out` and `GET /signed-out`.

use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;

use super::HOME;
use super::browser::SetCookies;
use super::door::{Door, NoFields, Sent};
use super::outcome::{AppError, frame};
use crate::apps::standing::{Standing, end, look};
use crate::http::page;
use crate::pages::{EndReason, SignedOutPage, paths};

/// `POST /sign-out`: ends the session here, then at the issuer for all apps (RP-Initiated Logout).
pub(super) async fn sign_out(door: Door, Sent(NoFields {}): Sent<NoFields>) -> Response {
    match leave(&door).await {
        // The page at the end knows the session again, and says what is over.
        Ok((to, EndReason::ImpersonationOver)) => Redirect::to(&to).into_response(),
        Ok((to, _)) => {
            let cookies = SetCookies::of(door.rp.kind()).no_session();
            (cookies, Redirect::to(&to)).into_response()
        }
        Err(error) => door.refuse(error),
    }
}

/// Of a session under `act` the issuer ends the grant, and neither her session nor the actor's own.
async fn leave(door: &Door) -> Result<(String, EndReason), AppError> {
    let rp = &door.rp;
    // No question to the issuer first: an old hint is good at logout.
    let found = look(rp, door.browser.session.as_ref(), door.clinic()).await?;
    let back = format!("{}{}", door.site.origin, paths::SIGNED_OUT);
    let Standing::Live(session) = found else {
        return Ok((back, EndReason::SignedOut));
    };
    let reason = match session.tokens.acting {
        Some(_) => EndReason::ImpersonationOver,
        None => EndReason::SignedOut,
    };
    end(rp, &session, reason).await?;
    let everywhere = rp.oidc().logout(&session.tokens.id_token, &back).await?;
    Ok((everywhere.map_or(back, String::from), reason))
}

#[derive(Deserialize)]
pub(super) struct Why {
    reason: Option<String>,
}

/// `GET /signed-out?reason=`: why it is over; with a live session, home.
pub(super) async fn signed_out(door: Door, Query(why): Query<Why>) -> Response {
    let reason = match door.standing(super::session::PATIENCE_OF_A_PAGE).await {
        Ok(Standing::Live(_)) => return Redirect::to(HOME).into_response(),
        Ok(Standing::Ended(reason)) => reason,
        Ok(Standing::Nobody) => EndReason::from_word(why.reason.as_deref()),
        Err(error) => return door.refuse(error),
    };
    let shown = SignedOutPage {
        frame: frame(&door.rp, &door.site, &door.id),
        reason,
        // Who acted as somebody has nothing to sign in to here.
        sign_in_href: (reason != EndReason::ImpersonationOver)
            .then(|| paths::APP_SIGN_IN.to_owned()),
    };
    let cookies = SetCookies::of(door.rp.kind()).no_session();
    (cookies, page::page(StatusCode::OK, &shown)).into_response()
}
