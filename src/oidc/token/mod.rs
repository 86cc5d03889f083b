//! `POST /token` (RFC 6749 §3.2): one grant, one file.

pub mod access_token;
mod acting;
pub mod authorization_code;
pub mod client_credentials;
mod handover_code;
pub mod minting;
pub mod refresh_token;
pub mod token_exchange;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::app::App;
use crate::http::form::{Malformed, Parameters, RequestParameters};
use crate::http::oauth_error::{OAuthError, OAuthErrorCode};
use crate::http::peer::Peer;
use crate::oidc::client::authentication::authenticate;

/// A successful answer (RFC 6749 §5.1; OIDC Core §3.1.3.3), with when the session will end.
#[derive(Debug)]
pub struct TokenResponse {
    /// RFC 9068.
    pub access_token: SecretString,
    /// Seconds.
    pub expires_in: i64,
    /// If `openid` was granted.
    pub id_token: Option<SecretString>,
    /// If the grant has one.
    pub refresh_token: Option<SecretString>,
    /// What was granted, space-separated.
    pub scope: String,
    /// What was issued, after an exchange (RFC 8693 §2.2.1).
    pub issued_token_type: Option<&'static str>,
    /// When the session will end; a service has none.
    pub session_ends_in: Option<SessionEndsIn>,
}

/// How long a session goes on, in seconds, so that apps can warn before (design §4).
#[derive(Clone, Copy, Debug)]
pub struct SessionEndsIn {
    /// If nothing is done.
    pub idle: i64,
    /// Whatever is done.
    pub absolute: i64,
    /// After an act of the person, if nothing is done from then on.
    pub idle_limit: i64,
}

#[derive(Serialize)]
struct Wire<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_limit: Option<i64>,
}

impl IntoResponse for TokenResponse {
    fn into_response(self) -> Response {
        let wire = Wire {
            access_token: self.access_token.expose_secret(),
            token_type: "Bearer",
            expires_in: self.expires_in,
            id_token: self
                .id_token
                .as_ref()
                .map(secrecy::ExposeSecret::expose_secret),
            refresh_token: self
                .refresh_token
                .as_ref()
                .map(secrecy::ExposeSecret::expose_secret),
            scope: &self.scope,
            issued_token_type: self.issued_token_type,
            idle_expires_in: self.session_ends_in.map(|ends| ends.idle),
            session_expires_in: self.session_ends_in.map(|ends| ends.absolute),
            idle_limit: self.session_ends_in.map(|ends| ends.idle_limit),
        };
        let mut response = Json(wire).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        response
    }
}

/// `POST /token`.
pub async fn token(
    State(app): State<App>,
    peer: Peer,
    headers: HeaderMap,
    RequestParameters(form): RequestParameters,
) -> Response {
    let form = match form {
        Ok(form) => form,
        Err(Malformed::ContentType) => return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
        Err(malformed) => return malformed_form(malformed).into_response(),
    };
    let outcome = grant(&app, &peer, &headers, &form).await;
    let word = match &outcome {
        Ok(_) => "issued",
        Err(error) => error.code.wire().0,
    };
    app.metrics.token_answered(grant_word(&form), word);
    match outcome {
        Ok(tokens) => tokens.into_response(),
        Err(error) => error.into_response(),
    }
}

/// The grant asked for, if it is one of ours.
fn grant_word(form: &Parameters) -> &'static str {
    match form.one("grant_type") {
        Ok(Some("authorization_code")) => "authorization_code",
        Ok(Some("refresh_token")) => "refresh_token",
        Ok(Some("client_credentials")) => "client_credentials",
        Ok(Some(token_exchange::GRANT_TYPE)) => "token_exchange",
        Ok(_) | Err(_) => "other",
    }
}

async fn grant(
    app: &App,
    peer: &Peer,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<TokenResponse, OAuthError> {
    if form.repeated(&["resource"]).is_some() {
        let detail = "a parameter is given more than once";
        return Err(OAuthError::new(OAuthErrorCode::InvalidRequest, detail));
    }
    let Some(grant_type) = form.one("grant_type").map_err(malformed_form)? else {
        return Err(OAuthError::field("grant_type", "missing"));
    };
    match grant_type {
        "authorization_code" => {
            if let Some(tokens) = authorization_code::redeem_together(app, headers, form).await {
                return Ok(tokens);
            }
            let client = authenticate(app, headers, form).await?;
            match handover_code::read(form)? {
                Some(shown) => handover_code::redeem(app, &client.0, &shown).await,
                None => authorization_code::redeem(app, &client.0, form).await,
            }
        }
        "refresh_token" => {
            if let Some(tokens) = refresh_token::rotate(app, peer, headers, form).await {
                return Ok(tokens);
            }
            let client = authenticate(app, headers, form).await?;
            refresh_token::refresh(app, &client.0, peer, form).await
        }
        "client_credentials" => {
            let client = authenticate(app, headers, form).await?;
            client_credentials::issue(app, &client.0, form).await
        }
        token_exchange::GRANT_TYPE => {
            let client = authenticate(app, headers, form).await?;
            token_exchange::exchange(app, &client.0, form).await
        }
        _ => Err(OAuthError::new(
            OAuthErrorCode::UnsupportedGrantType,
            "not one of ours",
        )),
    }
}

/// What a form that can't be read is answered.
pub(crate) fn malformed_form(malformed: Malformed) -> OAuthError {
    match malformed {
        Malformed::Repeated(name) => OAuthError::field(name, "given more than once"),
        Malformed::ContentType => OAuthError::new(
            OAuthErrorCode::InvalidRequest,
            "not a form, or a query beside it",
        ),
        Malformed::Encoding => {
            OAuthError::new(OAuthErrorCode::InvalidRequest, "broken escape or encoding")
        }
        Malformed::TooLarge => OAuthError::new(OAuthErrorCode::InvalidRequest, "too large"),
    }
}
