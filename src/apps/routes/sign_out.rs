//! `POST /sign-out` and `GET /signed-out`.

use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;

use super::HOME;
use super::browser::{Browser, SetCookies};
use super::outcome::{AppError, frame};
use crate::apps::RelyingParty;
use crate::apps::sites::Site;
use crate::apps::standing::{Standing, end, look, standing};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{EndReason, SignedOutPage, paths};

#[derive(Deserialize)]
pub(super) struct SignOutForm {
    csrf: String,
}

/// `POST /sign-out`: ends the session here, then at the issuer for all apps (RP-Initiated Logout).
pub(super) async fn sign_out(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    Form(form): Form<SignOutForm>,
) -> Response {
    if !browser.owns(&rp, &form.csrf) {
        return AppError::Forged.respond(&rp, &site, &id);
    }
    match leave(&rp, &site, &browser).await {
        // The page at the end knows the session again, and says what is over.
        Ok((to, EndReason::ImpersonationOver)) => Redirect::to(&to).into_response(),
        Ok((to, _)) => (SetCookies::of(rp.kind()).no_session(), Redirect::to(&to)).into_response(),
        Err(error) => error.respond(&rp, &site, &id),
    }
}

/// Of a session under `act` the issuer ends the grant, and neither her session nor the actor's own.
async fn leave(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
) -> Result<(String, EndReason), AppError> {
    let clinic = site.clinic.as_ref().map(|c| c.slug.as_str());
    // No question to the issuer first: an old hint is good at logout.
    let found = look(rp, browser.session.as_ref(), clinic).await?;
    let back = format!("{}{}", site.origin, paths::SIGNED_OUT);
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
pub(super) struct Asked {
    reason: Option<String>,
}

/// `GET /signed-out?reason=`: why it is over; with a live session, home.
pub(super) async fn signed_out(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    Query(asked): Query<Asked>,
) -> Response {
    let clinic = site.clinic.as_ref().map(|c| c.slug.as_str());
    let patience = super::session::PATIENCE_OF_A_PAGE;
    let reason = match standing(&rp, browser.session.as_ref(), clinic, patience).await {
        Ok(Standing::Live(_)) => return Redirect::to(HOME).into_response(),
        Ok(Standing::Ended(reason)) => reason,
        Ok(Standing::Nobody) => EndReason::from_word(asked.reason.as_deref()),
        Err(error) => return AppError::from(error).respond(&rp, &site, &id),
    };
    let shown = SignedOutPage {
        frame: frame(&rp, &site, &id),
        reason,
        // Who acted as somebody has nothing to sign in to here.
        sign_in_href: (reason != EndReason::ImpersonationOver)
            .then(|| paths::APP_SIGN_IN.to_owned()),
    };
    let cookies = SetCookies::of(rp.kind()).no_session();
    (cookies, page::page(StatusCode::OK, &shown)).into_response()
}
