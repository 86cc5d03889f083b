//! `GET /revocations`: what ends, as it ends (server-sent events, WHATWG HTML §9.2).
//!
//! Every message has the position up to which its receiver knows everything as its `id`.

use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Body as HttpBody, Frame};
use serde_json::json;
use tokio::sync::mpsc;

use super::subscriber;
use crate::app::App;
use crate::http::oauth_error::{OAuthError, OAuthErrorCode};
use crate::revocation::telling::{self, Told};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// A proxy that gathers answers would keep this one back (nginx).
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Answers at once, and goes on until the client or the process goes.
pub(super) async fn stream(State(app): State<App>, headers: HeaderMap) -> Response {
    match begin(&app, &headers).await {
        Ok(body) => {
            let mut response = Response::new(Body::new(body));
            let headers = response.headers_mut();
            let kind = HeaderValue::from_static("text/event-stream");
            headers.insert(CONTENT_TYPE, kind);
            headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
            response
        }
        Err(error) => error.into_response(),
    }
}

async fn begin(app: &App, headers: &HeaderMap) -> Result<Messages, OAuthError> {
    let subscriber = subscriber(app, headers).await?;
    let full = || {
        OAuthError::new(
            OAuthErrorCode::TemporarilyUnavailable,
            "no place in the stream",
        )
    };
    let place = app.feed.join(app, &subscriber.client).ok_or_else(full)?;
    let after = last_event_id(headers)?;
    let told = telling::begin(app, subscriber, place, after).await?;
    Ok(Messages(told))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, OAuthError> {
    let Some(named) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let position = named.to_str().ok().and_then(|text| text.parse().ok());
    let position = position.filter(|position: &i64| *position >= 0);
    let wrong = || OAuthError::field("Last-Event-ID", "not a position of ours");
    position.map(Some).ok_or_else(wrong)
}

/// The answer's body: what is told, as it comes.
#[derive(Debug)]
struct Messages(mpsc::Receiver<Vec<Told>>);

impl HttpBody for Messages {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let told = self.0.poll_recv(cx);
        told.map(|told| told.map(|told| Ok(Frame::data(text(&told).into()))))
    }
}

fn text(told: &[Told]) -> String {
    let mut text = String::new();
    for told in told {
        let (id, event, data) = match told {
            Told::Set {
                position,
                previous,
                set,
            } => (position, "set", json!({ "prev": previous, "set": **set })),
            Told::UpToDate {
                position,
                previous,
                issuer_time,
            } => {
                let at = issuer_time.unix_timestamp();
                let data = json!({ "prev": previous, "position": position, "issuer_time": at });
                (position, "lag", data)
            }
            Told::SnapshotRequired => {
                text += "event: snapshot-required\ndata: {}\n\n";
                continue;
            }
        };
        let _ = write!(text, "id: {id}\nevent: {event}\ndata: {data}\n\n");
    }
    text
}
