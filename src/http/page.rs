//! Saying a page, with a policy as strict as the page allows.

use axum::response::{Html, IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use super::layers::RequestId;
use crate::app::App;
use crate::db::StoreError;
use crate::pages::{self, ErrorPage, Frame, Page};

/// A page whose forms go to ourselves alone.
pub fn page(status: StatusCode, page: &impl Page) -> Response {
    page_leading_to(status, page, None)
}

/// A page whose form may end in a redirect to `origin`: browsers hold the redirect after a post
/// to `form-action` too.
pub fn page_leading_to(status: StatusCode, page: &impl Page, origin: Option<&str>) -> Response {
    let policy = format!(
        "{}; form-action 'self' {}",
        pages::CONTENT_SECURITY_POLICY,
        origin.unwrap_or_default()
    );
    let mut response = (status, Html(page.html())).into_response();
    let policy = HeaderValue::from_str(policy.trim_end())
        .unwrap_or(HeaderValue::from_static("default-src 'none'"));
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// For `Retry-After`: rounded up, so that whoever waits is not too early.
pub fn whole_seconds(wait: time::Duration) -> u32 {
    let rounded = wait.whole_seconds() + i64::from(wait.subsec_nanoseconds() > 0);
    u32::try_from(rounded).unwrap_or(u32::MAX).max(1)
}

/// The frame of a page of the issuer's own.
pub fn frame(request_id: &RequestId) -> Frame {
    let mut frame = Frame::new("Lanyard", request_id.as_str());
    frame.demo_banner = request_id.is_of_a_demo();
    frame
}

/// Why a page of ours can't be shown.
#[derive(Debug)]
pub enum PageError {
    /// The person's or the app's: the link is wrong or too old.
    BadRequest {
        /// For the log.
        detail: &'static str,
        /// The field that is wrong, for the app's developer.
        field: Option<&'static str>,
    },
    /// Someone else's form, or one from an older page.
    Forged,
    /// Nothing there, or not hers.
    NotFound,
    /// Ours.
    Store(StoreError),
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl PageError {
    /// The page in words that help.
    pub fn respond(self, _app: &App, request_id: &RequestId) -> Response {
        let (status, status_word, happened, advice) = match &self {
            Self::BadRequest { detail, field } => {
                tracing::info!(detail, field, "page");
                (
                    StatusCode::BAD_REQUEST,
                    "Bad request",
                    "The link that brought you here is not complete or no longer good.",
                    "Go back to the app you came from and start again.",
                )
            }
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "Forbidden",
                "This form was not sent from a page of ours, or the page was too old.",
                "Go back, load the page again, and try once more.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Not found",
                "There is nothing at this address.",
                "Check the address, or go back to the app you came from.",
            ),
            Self::Store(error) => {
                tracing::error!(detail = %super::chain(error), "page");
                match error {
                    StoreError::Unavailable(_) | StoreError::TransactionPooler => (
                        StatusCode::SERVICE_UNAVAILABLE,
                        "Unavailable",
                        "We can't reach our records just now. Nothing is lost.",
                        "Wait a minute and try again.",
                    ),
                    StoreError::Conflict { .. }
                    | StoreError::Corrupt { .. }
                    | StoreError::Query(_) => (
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "Server error",
                        "Something failed on our side. It is not your fault.",
                        "Try again; if it goes on, tell your clinic the number below.",
                    ),
                }
            }
        };
        let shown = ErrorPage {
            frame: frame(request_id),
            status: status.as_u16(),
            status_word,
            happened,
            advice,
            way_on: None,
        };
        let mut response = page(status, &shown);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(RETRY_AFTER, soon);
        }
        response
    }
}
