//! `GET` and `POST /authorize` (RFC 6749 §4.1.1; OIDC Core §3.1.2), and coming back to it.

pub(crate) mod consent;
pub(crate) mod decline;
pub(crate) mod issuing;
pub mod policy;
pub mod request;
mod service;
mod settle;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::form_urlencoded;

use crate::app::App;
use crate::http::browser::{Browser, SetCookies};
use crate::http::form::{Parameters, RequestParameters};
use crate::http::layers::RequestId;
use crate::http::page::PageError;
use crate::ids::{ClientId, InteractionId};
use crate::oidc::client::{Client, policy as client_policy};
use crate::oidc::handover::model::Transfer;
use crate::oidc::handover::service as handover;
use crate::oidc::id_token_hint::Hint;
use crate::oidc::interaction::AuthorizeRequest;
use crate::pages::paths;
use service::{Answer, Hinted};
pub(crate) use settle::Wanted;

/// An error that goes back to the client (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6, RFC 8707 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizeError {
    /// The client's: a parameter is missing, repeated or malformed.
    InvalidRequest(&'static str),
    /// The client's: it may not use this endpoint.
    UnauthorizedClient,
    /// The person's: she is not of that clinic, does not want the client to see anything, or went
    /// back without proving what was asked.
    AccessDenied,
    /// The client's: only `code`.
    UnsupportedResponseType,
    /// The client's: nothing that it may have.
    InvalidScope,
    /// The client's: not one of its resources.
    InvalidTarget,
    /// A page would have to be shown, and `prompt=none` forbids it.
    LoginRequired,
    /// The same, to choose a clinic.
    AccountSelectionRequired,
    /// The same, to ask what the client may see.
    ConsentRequired,
    /// An authentication context that we can't give.
    UnmetAuthenticationRequirements,
    /// Request objects are not served.
    RequestNotSupported,
    /// Nor by reference.
    RequestUriNotSupported,
}

impl AuthorizeError {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::LoginRequired => "login_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::ConsentRequired => "consent_required",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
        }
    }

    /// A constant that names the field, for the client's developer.
    const fn description(self) -> Option<&'static str> {
        match self {
            Self::InvalidRequest(what) => Some(what),
            _ => None,
        }
    }
}

/// `GET` and `POST /authorize`.
pub async fn authorize(
    State(app): State<App>,
    id: RequestId,
    browser: Browser,
    RequestParameters(given): RequestParameters,
) -> Response {
    let Ok(given) = given else {
        return bad_page(&app, &id, "the parameters can't be read", None);
    };
    match begin(&app, &browser, &given).await {
        Ok(response) => response,
        Err(error) => error.respond(&app, &id),
    }
}

async fn begin(app: &App, browser: &Browser, given: &Parameters) -> Result<Response, PageError> {
    if let Some((request, code)) = issuing::issue(app, browser, given).await {
        return Ok(say(app, browser, Answer::Code(request, code)));
    }
    let bad = |detail, field| PageError::BadRequest {
        detail,
        field: Some(field),
    };
    let client_id = given
        .one("client_id")
        .ok()
        .flatten()
        .and_then(ClientId::parse)
        .ok_or(bad("no client named once", "client_id"))?;
    let redirect_uri = given.one("redirect_uri").ok().flatten();
    let client = service::find_client(app, &client_id).await?;
    let redirect_uri = redirect_uri.filter(|uri| {
        client
            .as_ref()
            .is_some_and(|client| client_policy::may_redirect(client, uri))
    });
    let is_known = client.is_some();
    let Some((client, redirect_uri)) = client.zip(redirect_uri) else {
        service::record_rejected(app, &client_id, is_known).await?;
        return Err(bad("unknown client or redirect address", "redirect_uri"));
    };
    let read = request::read(given, &client, redirect_uri)
        .and_then(|read| Ok((read, request::organization(given)?)));
    match read {
        Err(error) => {
            let state = given.one("state").ok().flatten().map(str::to_owned);
            Ok(refuse(app, redirect_uri, state.as_deref(), error))
        }
        Ok((mut request, organization)) => {
            let hint = given.one("id_token_hint").ok().flatten();
            let hint = match service::read_hint(app, hint).await? {
                Hinted::Nobody => None,
                Hinted::At(hint) => Some(hint),
                Hinted::Unproven => {
                    let state = request.state.as_deref();
                    let error = AuthorizeError::LoginRequired;
                    return Ok(refuse(app, redirect_uri, state, error));
                }
            };
            let organization = organization.as_deref();
            let asks = Handed::read(given, hint.as_ref());
            if let Some(handed) = asks {
                let wanted = Wanted::of(&client, organization);
                return hand_over(app, browser, handed, (&client, &wanted), request).await;
            }
            request.hint = hint.map(|hint| (hint.tenant, hint.subject));
            let answer = service::begin(app, browser, &client, request, organization).await?;
            Ok(say(app, browser, answer))
        }
    }
}

/// What makes a request one of a browser that was handed over: then no other session answers it.
enum Handed<'a> {
    /// A transfer's hint; beside an ID token it is a contradiction.
    Transfer(&'a str),
    /// An ID token under `act`.
    Renewal(&'a Hint),
    /// Both, or a hint and an ID token of somebody.
    Both,
}

impl<'a> Handed<'a> {
    fn read(given: &'a Parameters, hint: Option<&'a Hint>) -> Option<Self> {
        let transfer = given
            .all("login_hint")
            .find(|hint| Transfer::is_meant(hint));
        match (transfer, hint) {
            (Some(_), Some(_)) => Some(Self::Both),
            (Some(transfer), None) => Some(Self::Transfer(transfer)),
            (None, Some(hint)) => hint.is_acting.then_some(Self::Renewal(hint)),
            (None, None) => None,
        }
    }
}

async fn hand_over(
    app: &App,
    browser: &Browser,
    handed: Handed<'_>,
    to: (&Client, &Wanted),
    request: AuthorizeRequest,
) -> Result<Response, PageError> {
    let answer = match handed {
        Handed::Transfer(hint) => {
            handover::enter(app, hint, browser.transfer.as_ref(), to, &request).await?
        }
        Handed::Renewal(hint) => {
            handover::renew(app, hint, browser.handover.as_ref(), to, &request).await?
        }
        Handed::Both => handover::Answer::Refused(AuthorizeError::InvalidRequest(
            "login_hint and id_token_hint contradict each other",
        )),
    };
    let request = Box::new(request);
    Ok(match answer {
        handover::Answer::Code(code) => say(app, browser, Answer::Code(request, code)),
        handover::Answer::Entered(code, session) => {
            let cookies = SetCookies::default().no_transfer().handover(&session);
            (cookies, say(app, browser, Answer::Code(request, code))).into_response()
        }
        handover::Answer::Refused(error) => say(app, browser, Answer::Refuse(request, error)),
    })
}

/// Which interaction to go on with.
#[derive(Debug, Deserialize)]
pub struct Resume {
    flow: InteractionId,
}

/// `GET /authorize/resume?flow=`: a person comes back from the sign-in pages.
pub async fn resume(
    State(app): State<App>,
    id: RequestId,
    browser: Browser,
    flow: Result<Query<Resume>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(Resume { flow })) = flow else {
        return bad_page(&app, &id, "no flow named", Some("flow"));
    };
    match service::resume(&app, &browser, flow).await {
        Ok(Some(answer)) => say(&app, &browser, answer),
        Ok(None) => bad_page(&app, &id, "no such flow in this browser", Some("flow")),
        Err(error) => PageError::from(error).respond(&app, &id),
    }
}

fn bad_page(
    app: &App,
    id: &RequestId,
    detail: &'static str,
    field: Option<&'static str>,
) -> Response {
    PageError::BadRequest { detail, field }.respond(app, id)
}

fn say(app: &App, browser: &Browser, answer: Answer) -> Response {
    let to = |path: &str, flow: InteractionId| Redirect::to(&format!("{path}?flow={flow}"));
    let response = match answer {
        Answer::SignIn(flow) => to(paths::SIGN_IN, flow).into_response(),
        Answer::ProveFactor(flow) => to(paths::SIGN_IN_CODE, flow).into_response(),
        Answer::EnrollFactor(flow) => to(paths::SIGN_IN_ENROLL, flow).into_response(),
        Answer::ChooseClinic(flow) => to(paths::SIGN_IN_CLINIC, flow).into_response(),
        Answer::AskConsent(flow) => to(paths::CONSENT, flow).into_response(),
        Answer::Code(request, code) => grant(app, &request, &code),
        Answer::Refuse(request, error) => {
            refuse(app, &request.redirect_uri, request.state.as_deref(), error)
        }
    };
    (browser.greeting(), response).into_response()
}

fn grant(app: &App, request: &AuthorizeRequest, code: &SecretString) -> Response {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("code", code.expose_secret());
    back(app, &request.redirect_uri, request.state.as_deref(), query)
}

fn refuse(app: &App, redirect_uri: &str, state: Option<&str>, error: AuthorizeError) -> Response {
    tracing::info!(
        error.code = error.word(),
        detail = error.description(),
        "authorize"
    );
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("error", error.word());
    if let Some(description) = error.description() {
        query.append_pair("error_description", description);
    }
    back(app, redirect_uri, state, query)
}

/// Back to the client with `state` as it came and `iss` (RFC 9207 §2).
fn back(
    app: &App,
    redirect_uri: &str,
    state: Option<&str>,
    mut query: form_urlencoded::Serializer<'_, String>,
) -> Response {
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", app.issuer());
    let joint = if redirect_uri.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{redirect_uri}{joint}{}", query.finish())).into_response()
}
