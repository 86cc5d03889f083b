//! `POST /revocations/poll`: the sets for who asks instead of listening (RFC 8936).

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::receiver::{Denied, receiver};
use crate::app::App;
use crate::http::oauth_error::OAuthError;
use crate::oidc::scope::SSF_READ;
use crate::revocation::model::Subscriber;
use crate::revocation::receiver::service::{self, Poll, Polled};

/// In one answer, if the receiver does not say how many.
const USUAL: usize = 100;
/// Acknowledged in one request.
const MOST_ACKNOWLEDGED: usize = 1000;
/// Who waits for something is answered after this time in any case.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// RFC 8936 §2.2. Members that we do not know are passed over, as JSON is extended.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    max_events: Option<usize>,
    #[serde(default)]
    return_immediately: bool,
    #[serde(default)]
    ack: Vec<String>,
    /// By `jti`, what was wrong with a set.
    #[serde(default)]
    set_errs: BTreeMap<String, Value>,
}

/// Sets that were not acknowledged yet, by `jti`.
pub(super) async fn poll(
    State(app): State<App>,
    headers: HeaderMap,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Response {
    let answered = async {
        let subscriber = receiver(&app, &headers, SSF_READ).await?;
        let unreadable = |_| OAuthError::field("poll", "a request that can't be read");
        let Json(asked) = asked.map_err(unreadable)?;
        Ok::<_, Denied>(answer(&app, &subscriber, asked).await?)
    };
    match answered.await {
        Ok(polled) => {
            let sets: BTreeMap<String, &str> = polled
                .sets
                .iter()
                .map(|(jti, set)| (jti.to_string(), &**set))
                .collect();
            Json(json!({ "sets": sets, "moreAvailable": polled.has_more })).into_response()
        }
        Err(error) => error.into_response(),
    }
}

async fn answer(app: &App, subscriber: &Subscriber, asked: Asked) -> Result<Polled, OAuthError> {
    if asked.ack.len() + asked.set_errs.len() > MOST_ACKNOWLEDGED {
        return Err(OAuthError::field("ack", "too many at once"));
    }
    if !asked.set_errs.is_empty() {
        // Its words may be anything: how many, and whose.
        tracing::warn!(
            client = %subscriber.client,
            count = asked.set_errs.len(),
            "a receiver could not use what it was told"
        );
    }
    let named = asked.ack.iter().chain(asked.set_errs.keys());
    let mut poll = Poll {
        most: asked.max_events.unwrap_or(USUAL),
        // One that is no id of ours is of nothing that was sent.
        done_with: named.filter_map(|jti| jti.parse::<Uuid>().ok()).collect(),
    };
    let would_wait = !asked.return_immediately && poll.most > 0;
    let until = Instant::now() + LONGEST_WAIT;
    // Before it looks, so that nothing is missed between looking and waiting. Who has no place to
    // wait in is answered at once: a seat is held until the answer.
    let client = &subscriber.client;
    let place = would_wait.then(|| app.feed.wait(app, client)).flatten();
    let mut seen = app.feed.seen();
    loop {
        let polled = service::poll(app, subscriber, &poll).await?;
        if place.is_none() || !polled.sets.is_empty() {
            return Ok(polled);
        }
        poll.done_with.clear();
        let head = seen.borrow_and_update().head;
        let is_news = seen.wait_for(|seen| seen.head > head);
        if !matches!(timeout_at(until, is_news).await, Ok(Ok(_))) {
            return Ok(polled);
        }
    }
}
