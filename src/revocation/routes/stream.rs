//! `GET /revocations`: what ends, as it ends (server-sent events, WHATWG HTML §9.2).
//!
//! Every message has the position up to which its receiver knows everything as its `id`, and names
//! the message before it: one that was lost on the way shows.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Body as HttpBody, Frame};
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use super::subscriber;
use crate::app::App;
use crate::db::{StoreError, chain};
use crate::fault::{self, Point};
use crate::http::oauth_error::{OAuthError, OAuthErrorCode};
use crate::revocation::feed::Seen;
use crate::revocation::model::{Event, Subscriber};
use crate::revocation::{policy, service, set};

/// So often a subscriber hears that it knows everything.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Then it has to authenticate anew: a client that was disabled is told no longer than that.
const LONGEST: Duration = Duration::from_mins(10);
/// Who takes nothing for so long is cut off, and may come back.
const TOO_SLOW: Duration = Duration::from_secs(10);
/// Bytes that are put together before they are sent.
const CHUNK: usize = 32 * 1024;

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

async fn begin(app: &App, headers: &HeaderMap) -> Result<Told, OAuthError> {
    let subscriber = subscriber(app, headers).await?;
    let full = || {
        OAuthError::new(
            OAuthErrorCode::TemporarilyUnavailable,
            "no place in the stream",
        )
    };
    let place = app.feed.join(app).ok_or_else(full)?;
    let named = last_event_id(headers)?;
    let (cursor, may_go_on) = match named {
        Some(cursor) => {
            let kept = service::kept(app, cursor).await?;
            (cursor, policy::may_resume(cursor, kept, app.env.now()))
        }
        // From now on: what was committed before has a position first.
        None => (service::sequence(app).await?, true),
    };
    let (to, told) = mpsc::channel(1);
    if may_go_on {
        let telling = Telling {
            app: app.clone(),
            subscriber,
            cursor,
            to,
            seen: app.feed.seen(),
            _place: place,
        };
        tokio::spawn(telling.run());
    } else {
        // The answer ends with it: the sender is dropped here.
        let _ = to.try_send(Bytes::from_static(
            b"event: snapshot-required\ndata: {}\n\n",
        ));
    }
    Ok(Told(told))
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
struct Told(mpsc::Receiver<Bytes>);

impl HttpBody for Told {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(cx)
            .map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// One subscriber, while it is told.
#[derive(Debug)]
struct Telling {
    app: App,
    subscriber: Subscriber,
    /// Everything up to here was told, or does not concern it.
    cursor: i64,
    to: mpsc::Sender<Bytes>,
    seen: watch::Receiver<Seen>,
    _place: OwnedSemaphorePermit,
}

/// The other end is gone, or too slow.
struct Cut;

impl Telling {
    async fn run(mut self) {
        let ends_at = Instant::now() + LONGEST;
        let mut is_over = self.app.feed.is_over();
        let mut ticks = interval(HEARTBEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let gone = self.to.clone();
        tokio::select! {
            Cut = self.go_on(&mut ticks) => {}
            _ = is_over.wait_for(|is_over| *is_over) => {}
            () = gone.closed() => {}
            () = sleep_until(ends_at) => {}
        }
    }

    async fn go_on(&mut self, ticks: &mut Interval) -> Cut {
        // The id of the last message, for the next one.
        let mut before = self.cursor;
        let mut owes_heartbeat = false;
        loop {
            // Read first: all of it is there by now.
            let seen = *self.seen.borrow_and_update();
            if let Err(cut) = self.catch_up(&mut before).await {
                return cut;
            }
            if owes_heartbeat && let Some(complete_at) = seen.complete_at() {
                owes_heartbeat = false;
                self.cursor = self.cursor.max(seen.head);
                let beat = self.heartbeat(before, complete_at);
                before = self.cursor;
                if let Err(cut) = self.send(beat).await {
                    return cut;
                }
            }
            tokio::select! {
                _ = self.seen.changed() => {}
                _ = ticks.tick() => {
                    owes_heartbeat = true;
                    self.app.feed.read(&self.app);
                }
            }
        }
    }

    /// Tells all that is there.
    async fn catch_up(&mut self, before: &mut i64) -> Result<(), Cut> {
        loop {
            let events = match self.app.feed.after(self.cursor) {
                Some(events) => events,
                None => self.older().await?,
            };
            if events.is_empty() {
                return Ok(());
            }
            let mut chunk = String::new();
            for event in &events {
                self.cursor = event.position;
                if policy::concerns(&self.subscriber, event) {
                    chunk += &self.message(event, *before);
                    *before = event.position;
                }
                if chunk.len() >= CHUNK {
                    fault::pass(Point::Telling, "");
                    self.send(std::mem::take(&mut chunk)).await?;
                }
            }
            if !chunk.is_empty() {
                fault::pass(Point::Telling, "");
                self.send(chunk).await?;
            }
        }
    }

    /// What was published before the reader began, or is kept in memory no more.
    async fn older(&mut self) -> Result<Vec<Arc<Event>>, Cut> {
        let read: Result<Vec<Event>, StoreError> = service::page(&self.app, self.cursor).await;
        match read {
            Ok(events) if events.is_empty() => Err(Cut),
            Ok(events) => Ok(events.into_iter().map(Arc::new).collect()),
            Err(error) => {
                tracing::warn!(detail = %chain(&error), "a subscriber can't be told the past");
                Err(Cut)
            }
        }
    }

    fn message(&self, event: &Event, before: i64) -> String {
        let set = set::of(&self.app, event, &self.subscriber);
        let data = json!({ "prev": before, "set": *set });
        format!("id: {}\nevent: set\ndata: {data}\n\n", event.position)
    }

    fn heartbeat(&self, before: i64, complete_at: OffsetDateTime) -> String {
        let position = self.cursor;
        let issuer_time = complete_at.unix_timestamp();
        let data = json!({ "prev": before, "position": position, "issuer_time": issuer_time });
        format!("id: {position}\nevent: lag\ndata: {data}\n\n")
    }

    async fn send(&self, text: String) -> Result<(), Cut> {
        match timeout(TOO_SLOW, self.to.send(text.into())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Cut),
        }
    }
}
