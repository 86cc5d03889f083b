//! An access token in a header, and how a request without a good one is refused (RFC 6750).

use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::problem::Problem;
use crate::db::StoreError;

/// Why not (§3.1).
#[derive(Debug)]
pub(crate) enum BearerError {
    /// No token at all: no error word.
    Absent,
    /// Not ours, over, or what is behind it is.
    Invalid,
    /// Without this scope.
    Insufficient(&'static str),
    /// A request that can't be read, or two tokens.
    Malformed,
    /// Ours.
    Store(StoreError),
}

impl From<StoreError> for BearerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for BearerError {
    fn into_response(self) -> Response {
        let (status, challenge) = match self {
            Self::Absent => (
                StatusCode::UNAUTHORIZED,
                r#"Bearer realm="lanyard""#.to_owned(),
            ),
            Self::Invalid => (
                StatusCode::UNAUTHORIZED,
                r#"Bearer error="invalid_token""#.to_owned(),
            ),
            Self::Insufficient(scope) => (
                StatusCode::FORBIDDEN,
                format!(r#"Bearer error="insufficient_scope", scope="{scope}""#),
            ),
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                r#"Bearer error="invalid_request""#.to_owned(),
            ),
            Self::Store(error) => return Problem::Store(error).into_response(),
        };
        let challenge = HeaderValue::from_str(&challenge).expect("visible ASCII");
        (status, [(WWW_AUTHENTICATE, challenge)]).into_response()
    }
}

/// The token of the one `Authorization` header; `None` without one.
///
/// # Errors
/// [`BearerError::Malformed`] for two headers or half of one; [`BearerError::Absent`] for another
/// scheme.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, BearerError> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err(BearerError::Malformed);
    }
    let (scheme, token) = header
        .to_str()
        .ok()
        .and_then(|h| h.split_once(' '))
        .ok_or(BearerError::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token))
    } else {
        Err(BearerError::Absent)
    }
}
