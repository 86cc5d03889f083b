//! Errors of `/api/v1`: problem details (RFC 9457).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::db::StoreError;

/// What went wrong, in a constant word; the reason is in the log.
#[derive(Debug)]
pub enum Problem {
    /// The caller's: a query parameter can't be read.
    BadRequest {
        /// Which.
        field: &'static str,
    },
    /// The caller's: known, and not in a role for this.
    Forbidden,
    /// Nothing there, or another tenant's: the same.
    NotFound,
    /// Ours: the database failed.
    Store(StoreError),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, field) = match &self {
            Self::BadRequest { field } => (
                StatusCode::BAD_REQUEST,
                "The request is malformed",
                Some(*field),
            ),
            Self::Forbidden => (StatusCode::FORBIDDEN, "Your roles do not open this", None),
            Self::NotFound => (StatusCode::NOT_FOUND, "There is nothing here", None),
            Self::Store(StoreError::Unavailable(_) | StoreError::TransactionPooler) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Try again in a moment",
                None,
            ),
            Self::Store(
                StoreError::Conflict { .. } | StoreError::Corrupt { .. } | StoreError::Query(_),
            ) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something failed on our side",
                None,
            ),
        };
        if let Self::Store(error) = &self {
            tracing::error!(detail = %super::chain(error), "api");
        }
        let mut body = json!({ "type": "about:blank", "title": title, "status": status.as_u16() });
        if let Some(field) = field {
            body["field"] = field.into();
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
