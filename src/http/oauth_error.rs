//! The OAuth catalogue of errors, and the one place where a code meets its status (RFC 6749 §5.2).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::db::StoreError;

/// A public code. Who is at fault: the client, except for the last two, which are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OAuthErrorCode {
    /// A parameter is missing, repeated or malformed.
    InvalidRequest,
    /// The client is unknown or did not prove who it is.
    InvalidClient,
    /// The code or refresh token is not good, for whatever reason.
    InvalidGrant,
    /// This client may not use this grant.
    UnauthorizedClient,
    /// A grant that we do not know.
    UnsupportedGrantType,
    /// A token that can't be revoked by itself (RFC 7009 §2.2.1).
    UnsupportedTokenType,
    /// A scope beyond what was granted or exists.
    InvalidScope,
    /// A resource that this client may not ask for (RFC 8707 §2).
    InvalidTarget,
    /// Ours: something failed.
    ServerError,
    /// Ours: overloaded or the database is away; come back.
    TemporarilyUnavailable,
}

impl OAuthErrorCode {
    /// RFC 6749 §5.2; RFC 7009 §2.2.1; RFC 8707 §2. The last two are borrowed from §4.1.2.1: §5.2
    /// has no word for our own failures.
    pub const fn wire(self) -> (&'static str, StatusCode) {
        match self {
            Self::InvalidRequest => ("invalid_request", StatusCode::BAD_REQUEST),
            Self::InvalidClient => ("invalid_client", StatusCode::UNAUTHORIZED),
            Self::InvalidGrant => ("invalid_grant", StatusCode::BAD_REQUEST),
            Self::UnauthorizedClient => ("unauthorized_client", StatusCode::BAD_REQUEST),
            Self::UnsupportedGrantType => ("unsupported_grant_type", StatusCode::BAD_REQUEST),
            Self::UnsupportedTokenType => ("unsupported_token_type", StatusCode::BAD_REQUEST),
            Self::InvalidScope => ("invalid_scope", StatusCode::BAD_REQUEST),
            Self::InvalidTarget => ("invalid_target", StatusCode::BAD_REQUEST),
            Self::ServerError => ("server_error", StatusCode::INTERNAL_SERVER_ERROR),
            Self::TemporarilyUnavailable => {
                ("temporarily_unavailable", StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    /// The constant sentence that goes with it: names no secret and no reason.
    const fn description(self) -> &'static str {
        match self {
            Self::InvalidRequest => "the request is malformed",
            Self::InvalidClient => "client authentication failed",
            Self::InvalidGrant => "the grant is not valid",
            Self::UnauthorizedClient => "this client may not use this grant",
            Self::UnsupportedGrantType => "this grant type is not supported",
            Self::UnsupportedTokenType => "tokens of this type can't be revoked",
            Self::InvalidScope => "the scope is not valid",
            Self::InvalidTarget => "the resource is not valid",
            Self::ServerError => "something failed on our side",
            Self::TemporarilyUnavailable => "try again in a moment",
        }
    }
}

/// An answer in the form of RFC 6749 §5.2.
#[derive(Debug)]
pub struct OAuthError {
    /// What the caller hears.
    pub code: OAuthErrorCode,
    /// The field at fault, if naming it helps the client's developer.
    pub field: Option<&'static str>,
    /// What the log hears. No secrets.
    pub detail: String,
}

impl OAuthError {
    /// With a private detail.
    pub fn new(code: OAuthErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            field: None,
            detail: detail.into(),
        }
    }

    /// `invalid_request` that names the field.
    pub fn field(field: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code: OAuthErrorCode::InvalidRequest,
            field: Some(field),
            detail: detail.into(),
        }
    }

    /// `invalid_grant`: unknown, expired, replayed and another client's are all this.
    pub fn invalid_grant(detail: impl Into<String>) -> Self {
        Self::new(OAuthErrorCode::InvalidGrant, detail)
    }

    /// `invalid_client`.
    pub fn invalid_client(detail: impl Into<String>) -> Self {
        Self::new(OAuthErrorCode::InvalidClient, detail)
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Unavailable(_) | StoreError::TransactionPooler => {
                OAuthErrorCode::TemporarilyUnavailable
            }
            StoreError::Conflict { .. } | StoreError::Corrupt { .. } | StoreError::Query(_) => {
                OAuthErrorCode::ServerError
            }
        };
        Self::new(code, super::chain(&error))
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (word, status) = self.code.wire();
        super::line::note(|facts| facts.error_code = Some(word));
        if status.is_server_error() {
            tracing::error!(error.code = word, detail = %self.detail, "oauth");
        } else {
            tracing::info!(error.code = word, detail = %self.detail, "oauth");
        }
        let description = match self.field {
            Some(field) => format!("{}: {field}", self.code.description()),
            None => self.code.description().to_owned(),
        };
        let body = json!({ "error": word, "error_description": description });
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Basic realm="lanyard""#);
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
