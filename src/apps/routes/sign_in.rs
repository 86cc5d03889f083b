//! `GET /sign-in`: to the issuer, by a person's own wish or because somebody sends her browser
//! (OIDC Core §4).

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::browser::{SetCookies, fresh_login};
use super::door::Door;
use super::outcome::AppError;
use super::{CALLBACK, HOME};
use crate::apps::RelyingParty;
use crate::apps::api::Challenge;
use crate::apps::model::{AppSession, Kind, PLATFORM, Renewed};
use crate::apps::oidc::Asked;
use crate::apps::service;
use crate::apps::sites::Site;
use crate::apps::standing::Standing;

/// Longest hint that is passed on, in bytes.
const LONGEST_HINT: usize = 254;

/// What whoever sends a browser says, each at most once (OIDC Core §4).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Initiated {
    iss: Option<String>,
    login_hint: Option<String>,
}

/// `GET /sign-in`: begins the code flow; with a live session, home. With a `login_hint` it is
/// somebody's that may be another's than the session: the issuer says whose.
pub(super) async fn sign_in(
    door: Door,
    initiated: Result<Query<Initiated>, QueryRejection>,
) -> Response {
    let Ok(Query(Initiated { iss, login_hint })) = initiated else {
        return door.refuse(AppError::StrangeCallback("a parameter twice"));
    };
    if iss.is_some_and(|iss| iss != door.rp.app().issuer()) {
        return door.refuse(AppError::StrangeCallback("another issuer"));
    }
    if let Some(hint) = login_hint.filter(|hint| hint.len() <= LONGEST_HINT) {
        return go(&door, Errand::Initiated(&hint)).await;
    }
    match door.standing(super::session::PATIENCE_OF_A_PAGE).await {
        Ok(Standing::Live(_)) => Redirect::to(HOME).into_response(),
        Ok(Standing::Nobody | Standing::Ended(_)) => begin(&door, false).await,
        Err(error) => door.refuse(error),
    }
}

/// Sends the browser to the issuer; `is_silent`: which shows no page, and at once sends it back.
pub(super) async fn begin(door: &Door, is_silent: bool) -> Response {
    go(door, Errand::SignIn { is_silent }).await
}

/// Sends the browser for the next token of a session under `act`, and back to the page that it asks
/// for.
pub(super) async fn renew(door: &Door, session: &AppSession) -> Response {
    go(door, Errand::Renewal(session, door.browser.page())).await
}

async fn go(door: &Door, errand: Errand<'_>) -> Response {
    match set_out_for(door, errand).await {
        Ok(response) => response,
        Err(error) => door.refuse(error),
    }
}

/// Sends the browser to prove what an API wants of her first.
///
/// - `kept`: what is sent when she comes back
pub(super) async fn step_up(
    door: &Door,
    challenge: &Challenge,
    kept: &str,
) -> Result<Response, AppError> {
    set_out_for(door, Errand::StepUp(challenge, kept)).await
}

/// Whose members alone may sign in here: the host's clinic's, or the platform's.
fn organization<'a>(rp: &RelyingParty, site: &'a Site) -> Option<&'a str> {
    match rp.kind() {
        Kind::Platform => Some(PLATFORM),
        _ => site.clinic.as_ref().map(|clinic| clinic.slug.as_str()),
    }
}

/// What a browser is sent to the issuer for.
enum Errand<'a> {
    /// Her own sign-in.
    SignIn { is_silent: bool },
    /// What an API wants her to prove first; and what waits for it.
    StepUp(&'a Challenge, &'a str),
    /// Whoever the hint is for.
    Initiated(&'a str),
    /// The next token of a session under `act`; then back to a page.
    Renewal(&'a AppSession, &'a str),
}

impl Errand<'_> {
    fn renews(&self) -> Option<(Renewed, &str)> {
        let Self::Renewal(session, page) = self else {
            return None;
        };
        let acting = session.tokens.acting.as_ref()?;
        let renewed = Renewed {
            subject: session.tokens.subject.clone(),
            grant: acting.grant,
            back: (*page).to_owned(),
        };
        Some((renewed, &session.tokens.id_token))
    }
}

async fn set_out_for(door: &Door, errand: Errand<'_>) -> Result<Response, AppError> {
    let Door {
        rp, site, browser, ..
    } = door;
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
        organization: organization(rp, site),
        is_silent: match errand {
            Errand::SignIn { is_silent } => is_silent,
            Errand::Renewal(..) => true,
            Errand::StepUp(..) | Errand::Initiated(_) => false,
        },
        step_up: match errand {
            Errand::StepUp(challenge, _) => Some(challenge),
            _ => None,
        },
        sends: match errand {
            Errand::StepUp(_, kept) => Some(kept),
            _ => None,
        },
        login_hint: match errand {
            Errand::Initiated(hint) => Some(hint),
            _ => None,
        },
        renews: errand.renews(),
    };
    let outset = rp.oidc().begin(asked).await?;
    let keeping = app.db.run(service::authority(state.id), async |tx| {
        service::keep_login(tx, app, kind, &state, &binding, &outset).await
    });
    keeping.await?;
    Ok((cookies, Redirect::to(outset.address.as_str())).into_response())
}
