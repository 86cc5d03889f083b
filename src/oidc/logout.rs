//! `GET` and `POST /logout` (OpenID Connect RP-Initiated Logout 1.0), and its confirmation.
//!
//! With a hint of ours, an expired one too, the session it names ends at once: only its client has
//! it. Without one the person is asked, and nothing leads off our site (LOUT-01, LOUT-02).

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use url::form_urlencoded;

use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::http::browser::{Browser, SetCookies};
use crate::http::form::{Parameters, RequestParameters};
use crate::http::layers::RequestId;
use crate::http::page::{self, PageError};
use crate::identity::membership::store as membership;
use crate::ids::{ClientId, ImpersonationId, SessionId};
use crate::impersonation::{EndCause, answers};
use crate::oidc::client::{policy as client_policy, service as clients};
use crate::oidc::id_token_hint::{self, Hint};
use crate::pages::{self, LogoutConfirmPage, paths};
use crate::sessions::{EndReason, service as sessions};

/// `GET` and `POST /logout`.
pub async fn logout(
    State(app): State<App>,
    id: RequestId,
    browser: Browser,
    RequestParameters(given): RequestParameters,
) -> Response {
    let answer = match given {
        Ok(given) => begin(&app, &id, &browser, &given).await,
        Err(_) => Err(bad("the parameters can't be read")),
    };
    match answer {
        Ok(response) => (browser.greeting(), response).into_response(),
        Err(error) => error.respond(&app, &id),
    }
}

fn bad(detail: &'static str) -> PageError {
    PageError::BadRequest {
        detail,
        field: None,
    }
}

async fn begin(
    app: &App,
    id: &RequestId,
    browser: &Browser,
    given: &Parameters,
) -> Result<Response, PageError> {
    let one = |name| {
        given
            .one(name)
            .map_err(|_| bad("a parameter is given more than once"))
    };
    let named = one("client_id")?.and_then(ClientId::parse);
    let hint = one("id_token_hint")?.and_then(|token| id_token_hint::read(app, token));
    // A client that is named must be the hint's (§2).
    let hint = hint.filter(|hint| named.as_ref().is_none_or(|client| *client == hint.client));
    let Some(hint) = hint else {
        return ask(app, id, browser).await;
    };
    let cookies = if hint.is_acting {
        end_grant(app, &hint).await?;
        SetCookies::default().no_handover()
    } else {
        let ended = end_hinted(app, &hint).await?;
        let shown = browser.session.as_ref();
        if shown.is_some_and(|shown| Some(shown.id) == ended) {
            SetCookies::default().no_session()
        } else {
            SetCookies::default()
        }
    };
    let target = match one("post_logout_redirect_uri")? {
        Some(uri) => allowed_target(app, &hint, uri, one("state")?).await?,
        None => None,
    };
    let target = target.unwrap_or_else(signed_out);
    Ok((cookies, Redirect::to(&target)).into_response())
}

fn signed_out() -> String {
    format!(
        "{}?reason={}",
        paths::SIGNED_OUT,
        pages::EndReason::SignedOut.word()
    )
}

/// Ends the session that a hint names; which one it was, whether or not it was still live.
async fn end_hinted(app: &App, hint: &Hint) -> Result<Option<SessionId>, StoreError> {
    let authority = Authority::<Identity>::presented_in(hint.tenant);
    app.db
        .run(authority, async |tx| {
            let Some(session) = sessions::session_of(tx, hint.sid).await? else {
                return Ok(None);
            };
            sessions::end(tx, app, session, EndReason::SignedOut).await?;
            Ok::<_, StoreError>(Some(session))
        })
        .await
}

/// Ends the grant that a hint under `act` names: the actor is done. His own session and hers go on.
async fn end_grant(app: &App, hint: &Hint) -> Result<(), StoreError> {
    let authority = Authority::<Identity>::presented_in(hint.tenant);
    let grant = ImpersonationId::from_uuid(hint.sid.as_uuid());
    app.db
        .run(authority, async |tx| {
            answers::end_for(tx, app, (hint.tenant, grant), EndCause::Actor).await?;
            Ok(())
        })
        .await
}

/// Where to go, if the hint's client registered exactly that.
async fn allowed_target(
    app: &App,
    hint: &Hint,
    uri: &str,
    state: Option<&str>,
) -> Result<Option<String>, StoreError> {
    let authority = Authority::<Identity>::claim(clients::locator(&app.keys, &hint.client));
    let client = app
        .db
        .run(authority.read_only(), async |tx| {
            clients::find_claimed(tx, &app.keys, &hint.client).await
        })
        .await?;
    Ok(client
        .filter(|client| client_policy::may_end_at(client, uri))
        .map(|_| {
            let Some(state) = state else {
                return uri.to_owned();
            };
            let joint = if uri.contains('?') { '&' } else { '?' };
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("state", state)
                .finish();
            format!("{uri}{joint}{query}")
        }))
}

/// Asks the person; without a session there is nothing to ask.
async fn ask(app: &App, id: &RequestId, browser: &Browser) -> Result<Response, PageError> {
    let Some(presented) = &browser.session else {
        return Ok(Redirect::to(&signed_out()).into_response());
    };
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    let login = app
        .db
        .run(authority, async |tx| {
            match sessions::recognize(tx, app, presented).await? {
                Some((_, proof)) => membership::find_login(tx, proof.account()).await,
                None => Ok(None),
            }
        })
        .await?;
    let Some(login) = login else {
        return Ok(Redirect::to(&signed_out()).into_response());
    };
    let shown = LogoutConfirmPage {
        frame: page::frame(id),
        csrf: browser.csrf().into(),
        logout: "confirmed".into(),
        login,
        client_name: None,
        stay_href: paths::ACCOUNT.to_owned(),
    };
    Ok(page::page(StatusCode::OK, &shown))
}

/// `POST /logout/confirm`: the person said yes on our own page.
pub async fn confirm(
    State(app): State<App>,
    id: RequestId,
    browser: Browser,
    RequestParameters(given): RequestParameters,
) -> Response {
    let csrf = given
        .as_ref()
        .ok()
        .and_then(|form| form.one("csrf").ok().flatten());
    if !csrf.is_some_and(|csrf| browser.owns(&app, csrf)) {
        return PageError::Forged.respond(&app, &id);
    }
    if let Some(presented) = &browser.session {
        let authority = Authority::<Identity>::claim(presented.id.as_uuid());
        let ended: Result<(), StoreError> = app
            .db
            .run(authority, async |tx| {
                if let Some((session, _)) = sessions::recognize(tx, &app, presented).await? {
                    sessions::end(tx, &app, session.id, EndReason::SignedOut).await?;
                }
                Ok(())
            })
            .await;
        if let Err(error) = ended {
            return PageError::from(error).respond(&app, &id);
        }
    }
    (
        SetCookies::default().no_session(),
        Redirect::to(&signed_out()),
    )
        .into_response()
}
