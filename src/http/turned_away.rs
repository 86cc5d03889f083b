//! What is said to whom there is no service for, in the form of what was asked.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use super::layers::RequestId;
use super::oauth_error::{OAuthError, OAuthErrorCode};
use super::page;
use super::problem::Problem;
use crate::metrics::Turned;
use crate::pages::ErrorPage;

/// Put beside a request that the serving loop has no service for.
#[derive(Clone, Copy, Debug)]
pub struct NoService(pub Turned);

/// In which form errors of a route are said.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// RFC 6749 §5.2.
    OAuth,
    /// RFC 9457.
    Problem,
    /// For people.
    Page,
    /// The status alone.
    Bare,
}

impl Form {
    /// By path, and by what is accepted.
    pub fn of(request: &Request) -> Self {
        let path = request.uri().path();
        if matches!(path, "/token" | "/activity" | "/introspect" | "/revoke") {
            return Self::OAuth;
        }
        if path.starts_with("/api/") {
            return Self::Problem;
        }
        let accepted = request.headers().get(ACCEPT);
        let accepted = accepted.and_then(|value| value.to_str().ok());
        if accepted.is_some_and(|accepted| accepted.contains("text/html")) {
            Self::Page
        } else {
            Self::Bare
        }
    }
}

/// What such a request is answered in place of its handler, under the headers of every answer.
pub fn answer(request: &Request, id: &RequestId) -> Option<Response> {
    let NoService(why) = request.extensions().get()?;
    Some(say(*why, id, Form::of(request)))
}

/// The answer: what is to be asked again in a second, or what was wrong.
pub fn say(why: Turned, id: &RequestId, form: Form) -> Response {
    match why {
        Turned::Ambiguous => {
            let words = "Send a body with one Content-Length, and lines that end in CR LF.\n";
            (StatusCode::BAD_REQUEST, words).into_response()
        }
        Turned::OtherName => StatusCode::MISDIRECTED_REQUEST.into_response(),
        Turned::Connections
        | Turned::Peer
        | Turned::NoProxy
        | Turned::Handshake
        | Turned::Requests
        | Turned::Late => busy(why, id, form),
    }
}

fn busy(why: Turned, id: &RequestId, form: Form) -> Response {
    let mut response = match form {
        Form::OAuth => {
            let detail = format!("turned away: {why:?}");
            OAuthError::new(OAuthErrorCode::TemporarilyUnavailable, detail).into_response()
        }
        Form::Problem => Problem::Busy.into_response(),
        Form::Page => {
            let shown = ErrorPage {
                frame: page::frame(id),
                status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
                status_word: "Unavailable",
                happened: "There are more people here than we can serve just now.",
                advice: "Wait a moment and try again.",
                way_on: None,
            };
            page::page(StatusCode::SERVICE_UNAVAILABLE, &shown)
        }
        Form::Bare => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
