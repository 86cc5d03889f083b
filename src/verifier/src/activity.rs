//! What a person does, told to the issuer (design §4): only this keeps a session alive.
//!
//! - A1: a request counts when it carries `Lanyard-Activity: person`, its token is good, its
//!   route's guard let it pass, and somebody signed in.
//! - A2: the first after 60 s of silence of a session is sent at once.
//! - A3: later ones are held up to 45 s and sent as one, the last: so within 60 s with a retry.
//! - A4: what can't be delivered is tried once more, then dropped and logged.
//! - A5: no request waits for any of it, and memory is bounded.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{Principal, TenantId};

/// The request header by which an app marks what a person did; its value is `person`.
pub const ACTIVITY_HEADER: HeaderName = HeaderName::from_static("lanyard-activity");

/// A2.
const SILENCE: Duration = Duration::from_mins(1);
/// A3: leaves room in the 60 s for one delivery, a pause and a second one.
const HOLD: Duration = Duration::from_secs(45);
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// A5: about 15 MB when full. Sessions beyond are told at once, each time.
const MAX_SESSIONS: usize = 50_000;
/// A5: what waits while the issuer does not answer; beyond it, events are lost.
const MAX_READY: usize = 10_000;
/// Events in one delivery.
const BATCH: usize = 200;

/// Something a person did, with what the issuer needs to check that she did it.
///
/// The issuer made `jti` as a MAC over the other members and its audience: an API can report only
/// for tokens that were minted for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ActivityEvent {
    /// The token that was used.
    pub jti: String,
    /// Its clinic.
    pub tid: TenantId,
    /// Its session in that clinic.
    pub sid: String,
    /// When it was minted; Unix seconds in JSON.
    #[serde(serialize_with = "unix_seconds")]
    pub iat: OffsetDateTime,
    /// When it ends; Unix seconds in JSON.
    #[serde(serialize_with = "unix_seconds")]
    pub exp: OffsetDateTime,
    /// When the person did it; Unix seconds in JSON.
    #[serde(serialize_with = "unix_seconds")]
    pub at: OffsetDateTime,
}

pub(crate) fn unix_seconds<S: Serializer>(
    at: &OffsetDateTime,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(at.unix_timestamp())
}

/// Takes reports to the issuer.
///
/// [`HttpActivitySink`](crate::HttpActivitySink) (feature `http-source`) posts them; a process that
/// is the issuer takes them itself.
pub trait ActivitySink: Send + Sync {
    /// Delivers some events, oldest first. Called by one task at a time; given up after 5 seconds.
    fn deliver<'a>(&'a self, events: &'a [ActivityEvent]) -> ActivityDelivery<'a>;
}

/// What [`ActivitySink::deliver`] returns.
pub type ActivityDelivery<'a> =
    Pin<Box<dyn Future<Output = Result<(), ActivityError>> + Send + 'a>>;

/// Why reports did not arrive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActivityError {
    /// No answer, or one of the issuer's own failures: worth another try.
    #[error("the issuer did not take the report: {0}")]
    Lost(String),
    /// The issuer refused; it would again. The operator's fault: the API's client credentials.
    #[error("the issuer refused the report: status {0}")]
    Refused(u16),
}

/// Whether the app says that a person did this.
pub(crate) fn is_a_persons(headers: &HeaderMap) -> bool {
    let mut marks = headers.get_all(ACTIVITY_HEADER).iter();
    marks.next().is_some_and(|mark| mark == "person") && marks.next().is_none()
}

/// The verifier's end. When the last one goes, what is held is sent and the task ends.
pub(crate) struct ActivityReporter(Arc<Reports>);

struct Reports {
    sink: Box<dyn ActivitySink>,
    held: Mutex<Held>,
    wake: Notify,
    has_task: AtomicBool,
    is_closed: AtomicBool,
}

#[derive(Default)]
struct Held {
    sessions: HashMap<SessionKey, Session>,
    /// When to look at each session again. In order, since each entry is [`HOLD`] from its making.
    visits: VecDeque<(Instant, SessionKey)>,
    ready: Vec<ActivityEvent>,
}

/// A session id is the issuer's, unique within its tenant.
type SessionKey = (TenantId, Arc<str>);

struct Session {
    last_at: OffsetDateTime,
    last_seen: Instant,
    pending: Option<ActivityEvent>,
}

impl ActivityReporter {
    pub(crate) fn new(sink: Box<dyn ActivitySink>) -> Self {
        Self(Arc::new(Reports {
            sink,
            held: Mutex::default(),
            wake: Notify::new(),
            has_task: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        }))
    }

    /// Notes that the token's person did something at `at`.
    pub(crate) fn note(&self, principal: &Principal, at: OffsetDateTime) {
        let Some(sid) = principal.sid() else { return };
        let event = ActivityEvent {
            jti: principal.jti().to_owned(),
            tid: principal.tenant(),
            sid: sid.to_owned(),
            iat: principal.issued_at(),
            exp: principal.expires_at(),
            at,
        };
        if self.0.held().note(event, Instant::now()) {
            self.0.wake.notify_one();
        }
        self.run();
    }

    /// Sends all that is held now.
    pub(crate) async fn flush(&self) {
        let events = self.0.held().take_all();
        self.0.send(events).await;
    }

    fn run(&self) {
        if !self.0.has_task.load(Ordering::Relaxed) && !self.0.has_task.swap(true, Ordering::AcqRel)
        {
            tokio::spawn(Sender(Arc::clone(&self.0)).run());
        }
    }
}

impl Drop for ActivityReporter {
    fn drop(&mut self) {
        self.0.is_closed.store(true, Ordering::Release);
        self.0.wake.notify_one();
    }
}

impl Held {
    /// True if there is now something to send at once.
    fn note(&mut self, event: ActivityEvent, now: Instant) -> bool {
        let key = (event.tid, Arc::from(event.sid.as_str()));
        if let Some(session) = self.sessions.get_mut(&key) {
            let silence = event.at - session.last_at;
            session.last_at = event.at;
            session.last_seen = now;
            if silence < SILENCE {
                session.pending = Some(event);
                return false;
            }
            session.pending = None;
        } else if self.sessions.len() < MAX_SESSIONS {
            let session = Session {
                last_at: event.at,
                last_seen: now,
                pending: None,
            };
            self.sessions.insert(key.clone(), session);
            self.visits.push_back((now + HOLD, key));
        }
        self.make_ready(event)
    }

    fn make_ready(&mut self, event: ActivityEvent) -> bool {
        let has_room = self.ready.len() < MAX_READY;
        if has_room {
            self.ready.push(event);
        } else {
            tracing::warn!("activity reports are lost: the issuer has not taken any for long");
        }
        has_room
    }

    /// What is to be sent now: what can't wait, and what has waited long enough.
    fn take_due(&mut self, now: Instant) -> Vec<ActivityEvent> {
        while self.visits.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, key)) = self.visits.pop_front() else {
                break;
            };
            let Some(session) = self.sessions.get_mut(&key) else {
                continue;
            };
            match session.pending.take() {
                Some(event) => {
                    self.visits.push_back((now + HOLD, key));
                    self.make_ready(event);
                }
                None if now.duration_since(session.last_seen) < SILENCE => {
                    self.visits.push_back((now + HOLD, key));
                }
                None => {
                    self.sessions.remove(&key);
                }
            }
        }
        std::mem::take(&mut self.ready)
    }

    fn take_all(&mut self) -> Vec<ActivityEvent> {
        let mut events = std::mem::take(&mut self.ready);
        events.extend(
            self.sessions
                .values_mut()
                .filter_map(|session| session.pending.take()),
        );
        events
    }
}

impl Reports {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, events: Vec<ActivityEvent>) {
        for batch in events.chunks(BATCH) {
            let mut outcome = self.deliver(batch).await;
            if let Err(ActivityError::Lost(_)) = outcome {
                tokio::time::sleep(RETRY_PAUSE).await;
                outcome = self.deliver(batch).await;
            }
            if let Err(error) = outcome {
                tracing::warn!(%error, events = batch.len(), "activity reports are lost");
            }
        }
    }

    async fn deliver(&self, batch: &[ActivityEvent]) -> Result<(), ActivityError> {
        match timeout(DELIVERY_TIMEOUT, self.sink.deliver(batch)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ActivityError::Lost("no answer in 5 s".to_owned())),
        }
    }
}

/// The one task that sends.
struct Sender(Arc<Reports>);

impl Sender {
    async fn run(self) {
        loop {
            if self.0.is_closed.load(Ordering::Acquire) {
                let rest = self.0.held().take_all();
                self.0.send(rest).await;
                return;
            }
            let due = self.0.held().take_due(Instant::now());
            if !due.is_empty() {
                self.0.send(due).await;
                continue;
            }
            let next = self.0.held().visits.front().map(|(due, _)| *due);
            let woken = self.0.wake.notified();
            match next {
                Some(next) => drop(timeout_at(next, woken).await),
                None => woken.await,
            }
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.has_task.store(false, Ordering::Release);
    }
}
