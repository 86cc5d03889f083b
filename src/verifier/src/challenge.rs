//! How a request is refused: RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1.

use std::fmt::Write;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use crate::Verifier;
use crate::error::VerifyError;

/// Why a request does not reach its handler. The public half only: constant words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No bearer token at all.
    NoToken,
    /// Two tokens, or one in a place or form that is not the header's.
    BadRequest(&'static str),
    /// The one answer for every token that is not good here, another clinic's included.
    InvalidToken,
    /// The keys or the latest revocations are not at hand, or what may be answered only on record
    /// can't be recorded.
    Unavailable,
    /// A scope is missing.
    Scope(String),
    /// No role has the permission key.
    Permission,
    /// Under impersonation: a method that is not safe, or a right that is never lent.
    Impersonation,
    /// Signed in too weakly, or too long ago.
    StepUp {
        acr_values: Vec<String>,
        max_age: Option<Duration>,
    },
    /// The host is no clinic's.
    UnknownHost,
    /// The path names no clinic.
    NotFound,
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::KeysUnavailable | VerifyError::RevocationsStale => Self::Unavailable,
            VerifyError::TooLong
            | VerifyError::Malformed
            | VerifyError::WrongType
            | VerifyError::HeaderRefused(_)
            | VerifyError::WrongAlgorithm
            | VerifyError::UnknownKey
            | VerifyError::BadSignature
            | VerifyError::Claims(_)
            | VerifyError::WrongIssuer
            | VerifyError::WrongAudience
            | VerifyError::Expired
            | VerifyError::NotYetValid
            | VerifyError::LivesTooLong
            | VerifyError::SenderConstrained
            | VerifyError::Revoked => Self::InvalidToken,
        }
    }
}

impl Refusal {
    /// The whole answer. `verifier` is `None` only if a guard stands outside of its layer.
    pub(crate) fn answer<B: From<String>>(&self, verifier: Option<&Verifier>) -> Response<B> {
        let status = self.status();
        let code = self.code();
        let title = status.canonical_reason().unwrap_or_default();
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{},"code":"{code}"}}"#,
            status.as_u16()
        );
        let mut response = Response::new(B::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self, Self::Unavailable) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if let Some(challenge) = self.challenge(verifier) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::InvalidToken | Self::StepUp { .. } => StatusCode::UNAUTHORIZED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Scope(_) | Self::Permission | Self::Impersonation => StatusCode::FORBIDDEN,
            Self::UnknownHost => StatusCode::MISDIRECTED_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }

    /// The word in the body, for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "token_required",
            Self::BadRequest(_) => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::Unavailable => "temporarily_unavailable",
            Self::Scope(_) => "insufficient_scope",
            Self::Permission => "insufficient_permission",
            Self::Impersonation => "impersonation_forbidden",
            Self::StepUp { .. } => "insufficient_user_authentication",
            Self::UnknownHost => "unknown_host",
            Self::NotFound => "not_found",
        }
    }

    /// `WWW-Authenticate`, for what a client can mend by another token or another request.
    fn challenge(&self, verifier: Option<&Verifier>) -> Option<HeaderValue> {
        // RFC 6750 §3.1 has three words; permission and impersonation are kinds of "not enough".
        let (error, description) = match self {
            Self::Unavailable | Self::UnknownHost | Self::NotFound => return None,
            Self::NoToken => ("", ""),
            Self::BadRequest(description) => ("invalid_request", *description),
            Self::InvalidToken => ("invalid_token", "the access token is not good here"),
            Self::Scope(_) => ("insufficient_scope", "a scope is missing"),
            Self::Permission => ("insufficient_scope", "no role allows this"),
            Self::Impersonation => ("insufficient_scope", "not while acting as another"),
            Self::StepUp { .. } => (
                "insufficient_user_authentication",
                "sign in again, or more strongly",
            ),
        };
        let mut text = String::from("Bearer ");
        let mut add = |name: &str, value: &str| {
            let comma = if text.ends_with(' ') { "" } else { ", " };
            let _ = write!(text, "{comma}{name}=\"{value}\"");
        };
        if !error.is_empty() {
            add("error", error);
            add("error_description", description);
        }
        match self {
            Self::Scope(scope) => add("scope", scope),
            Self::StepUp {
                acr_values,
                max_age,
            } => {
                if !acr_values.is_empty() {
                    add("acr_values", &acr_values.join(" "));
                }
                if let Some(max_age) = max_age {
                    add("max_age", &max_age.as_secs().to_string());
                }
            }
            _ => {}
        }
        if let Some(resource) = verifier.and_then(Verifier::resource) {
            add("resource_metadata", &resource.metadata_url);
        }
        HeaderValue::from_str(text.trim_end()).ok()
    }
}
