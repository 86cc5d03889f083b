//! Errors of `/api/v1`: problem details (RFC 9457), in the verifier's form.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::db::StoreError;

/// What went wrong, in a constant word; the reason is in the log.
#[derive(Debug)]
pub enum Problem {
    /// The caller's: a query parameter or a member of the body can't be read.
    BadRequest {
        /// Which.
        field: &'static str,
    },
    /// The caller's: known, and not in a role for this.
    Forbidden,
    /// The caller's: support may not act as that person, or not now.
    ImpersonationRefused,
    /// The caller's: there is such a thing, and it is not in the state for that.
    WrongState,
    /// The caller's: not while support acts as the person.
    Acted,
    /// Nothing there, or another tenant's: the same.
    NotFound,
    /// The caller's: there is something, and it does not do that.
    MethodNotAllowed,
    /// The clinic's: nobody there would be told of it and could review it.
    NobodyToReview,
    /// The operator's: the clinic has no data key yet, so nothing typed can be kept.
    NoDataKey,
    /// The caller's: asked as often as may be for now.
    TooOften {
        /// Seconds until it may be asked again.
        again_in: i64,
    },
    /// Ours: more requests than can be served.
    Busy,
    /// Ours: the database failed.
    Store(StoreError),
}

/// Among the extensions of an answer: a statement would have written where nothing can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TriedToWrite;

/// What Postgres calls it: `read_only_sql_transaction`.
const READ_ONLY_SQL_TRANSACTION: &str = "25006";

/// A problem on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`: the code says more.
    #[serde(rename = "type")]
    #[schema(value_type = String, examples("about:blank"))]
    kind: &'static str,
    /// The status in words. For people; it may change.
    #[schema(value_type = String, examples("Not Found"))]
    title: &'static str,
    /// The answer's status.
    #[schema(examples(404))]
    status: u16,
    /// A constant word, for programs.
    #[schema(value_type = String, examples("not_found"))]
    code: &'static str,
    /// The query parameter or the member of the body that can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, examples("as"))]
    field: Option<&'static str>,
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Problem {
    const fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Self::Forbidden | Self::Acted | Self::ImpersonationRefused => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::WrongState | Self::NobodyToReview => StatusCode::CONFLICT,
            Self::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy
            | Self::NoDataKey
            | Self::Store(StoreError::Unavailable(_) | StoreError::TransactionPooler) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Store(
                StoreError::Conflict { .. } | StoreError::Corrupt { .. } | StoreError::Query(_),
            ) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest { .. } => "invalid_request",
            Self::Forbidden => "insufficient_role",
            Self::ImpersonationRefused => "impersonation_refused",
            Self::WrongState => "wrong_state",
            Self::Acted => "impersonation_forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NobodyToReview => "nobody_to_review",
            Self::NoDataKey => "no_data_key",
            Self::TooOften { .. } => "too_many_requests",
            Self::Busy
            | Self::Store(StoreError::Unavailable(_) | StoreError::TransactionPooler) => {
                "temporarily_unavailable"
            }
            Self::Store(
                StoreError::Conflict { .. } | StoreError::Corrupt { .. } | StoreError::Query(_),
            ) => "server_error",
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            tracing::error!(detail = %super::chain(error), "api");
        }
        super::line::note(|facts| facts.error_code = Some(self.code()));
        let status = self.status();
        let body = ProblemBody {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: self.code(),
            field: match self {
                Self::BadRequest { field } => Some(field),
                _ => None,
            },
        };
        let mut response = (status, Json(body)).into_response();
        if let Self::Store(error) = &self
            && error.sqlstate().as_deref() == Some(READ_ONLY_SQL_TRANSACTION)
        {
            response.extensions_mut().insert(TriedToWrite);
        }
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Self::TooOften { again_in } = self {
            headers.insert(RETRY_AFTER, HeaderValue::from(again_in));
        } else if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
