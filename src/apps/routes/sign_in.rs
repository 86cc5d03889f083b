//! `GET /sign-in`: to the issuer.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::ExposeSecret as _;

use super::browser::{Browser, SetCookies, fresh_login};
use super::outcome::AppError;
use super::{CALLBACK, HOME};
use crate::apps::RelyingParty;
use crate::apps::api::Challenge;
use crate::apps::oidc::Asked;
use crate::apps::service;
use crate::apps::sites::Site;
use crate::apps::standing::{Standing, standing};
use crate::http::layers::RequestId;

/// `GET /sign-in`: begins the code flow; with a live session, home.
pub(super) async fn sign_in(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
) -> Response {
    let clinic = site.clinic.as_ref().map(|c| c.slug.as_str());
    let patience = super::session::PATIENCE_OF_A_PAGE;
    match standing(&rp, browser.session.as_ref(), clinic, patience).await {
        Ok(Standing::Live(_)) => Redirect::to(HOME).into_response(),
        Ok(Standing::Nobody | Standing::Ended(_)) => begin(&rp, &site, &browser, &id, false).await,
        Err(error) => AppError::from(error).respond(&rp, &site, &id),
    }
}

/// Sends the browser to the issuer; `is_silent`: which shows no page, and at once sends it back.
pub(super) async fn begin(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
    id: &RequestId,
    is_silent: bool,
) -> Response {
    match set_out(rp, site, browser, is_silent, None).await {
        Ok(response) => response,
        Err(error) => error.respond(rp, site, id),
    }
}

/// - `step_up`: what an API wants her to prove first
pub(super) async fn set_out(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
    is_silent: bool,
    step_up: Option<&Challenge>,
) -> Result<Response, AppError> {
    let (app, kind) = (rp.app(), rp.kind());
    let mut cookies = SetCookies::of(kind);
    let binding = if let Some(known) = browser.login() {
        known.to_owned()
    } else {
        let fresh = fresh_login(rp);
        cookies = cookies.login(&fresh);
        fresh.expose_secret().to_owned()
    };
    let state = service::fresh_ticket(app);
    let shown_state = state.value();
    let asked = Asked {
        redirect_uri: format!("{}{CALLBACK}", site.origin),
        state: shown_state.expose_secret(),
        organization: site.clinic.as_ref().map(|c| c.slug.as_str()),
        is_silent,
        step_up,
    };
    let outset = rp.oidc().begin(asked).await?;
    let keeping = app.db.run(service::authority(state.id), async |tx| {
        service::keep_login(tx, app, kind, &state, &binding, &outset).await
    });
    keeping.await?;
    Ok((cookies, Redirect::to(outset.address.as_str())).into_response())
}
