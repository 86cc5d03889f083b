//! Revocations of a [`TestIssuer`], without a network between.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;
use tokio::sync::watch;

use super::{TestIssuer, TestToken};
use crate::clock::Clock;
use crate::revocation::{
    FeedError, Following, Reporting, RevocationSource, RevocationStream, Snapshot, SnapshotFetch,
    Standing, StreamMessage, StreamRead,
};
use crate::{SubjectId, TenantId};

/// Something that ends tokens before their time, for [`TestIssuer::revoke`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A person signed out of a clinic.
    Session(TenantId, String),
    /// What one client (the second name) was given in one session (the first).
    Family(TenantId, String, String),
    /// An account or a membership was disabled, or its roles changed.
    Subject(TenantId, SubjectId),
    /// A clinic is suspended.
    Tenant(TenantId),
    /// A signing key is gone.
    Key(String),
    /// A role may do less, in every clinic.
    Role(String),
    /// Support acts no more.
    Impersonation(TenantId, String),
}

/// What was published, and who follows.
pub(super) struct Feed {
    log: Mutex<Log>,
    beats: watch::Sender<u64>,
    is_partitioned: AtomicBool,
    cuts: AtomicU64,
    reports: Mutex<Vec<Standing>>,
}

#[derive(Default)]
struct Log {
    head: u64,
    sets: Vec<Published>,
    forgotten_up_to: u64,
}

#[derive(Clone)]
struct Published {
    position: u64,
    set: String,
    is_lost: bool,
}

impl TestIssuer {
    /// A security event token as this issuer signs them. Change what the test is about, then
    /// [`TestToken::mint`] it.
    ///
    /// # Panics
    /// If the issuer has no key.
    pub fn security_event(&self, audience: &str, ended: &Ended) -> TestToken {
        let key = self
            .keys_now()
            .last()
            .map(Arc::clone)
            .expect("an issuer has a key");
        TestToken::security_event(&self.issuer, audience, self.clock.now(), key, ended)
    }

    /// Ends something: verifiers that follow [`TestIssuer::revocations`] refuse what was minted up
    /// to now. Gives its position.
    ///
    /// # Panics
    /// If the issuer has no key.
    pub fn revoke(&self, audience: &str, ended: &Ended) -> u64 {
        self.publish(self.security_event(audience, ended).mint())
    }

    /// Sends any text where a security event token should be. Gives its position.
    pub fn publish(&self, set: impl Into<String>) -> u64 {
        self.feed.publish(set.into(), false)
    }

    /// From now on says this at that position, to whoever comes back to it: an issuer signs anew
    /// whenever it is asked.
    pub fn republish(&self, position: u64, set: impl Into<String>) {
        let mut log = self.feed.log();
        let said = log.sets.iter_mut().find(|said| said.position == position);
        if let Some(said) = said {
            said.set = set.into();
        }
    }

    /// Publishes a security event token and loses the message on its way. It is in the next
    /// snapshot. Gives its position.
    pub fn publish_lost(&self, set: impl Into<String>) -> u64 {
        self.feed.publish(set.into(), true)
    }

    /// Tells all who follow that they know everything. Each is told so once by itself, when it
    /// has caught up.
    pub fn heartbeat(&self) {
        self.feed.wake();
    }

    /// Lets nothing through to those who follow, and says nothing; or lets it through again.
    pub fn set_partitioned(&self, is_partitioned: bool) {
        self.feed
            .is_partitioned
            .store(is_partitioned, Ordering::SeqCst);
        self.feed.wake();
    }

    /// Breaks every stream.
    pub fn cut_streams(&self) {
        self.feed.cuts.fetch_add(1, Ordering::SeqCst);
        self.feed.wake();
    }

    /// Keeps nothing of the past for those who come back: they need a snapshot.
    pub fn forget_past(&self) {
        let mut log = self.feed.log();
        log.forgotten_up_to = log.head;
    }

    /// How many streams are open.
    pub fn followers(&self) -> usize {
        self.feed.beats.receiver_count()
    }

    /// How the verifiers said that they stand.
    pub fn standings(&self) -> Vec<Standing> {
        let reports = self.feed.reports.lock();
        reports.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was revoked, for a verifier in the same process.
    pub fn revocations(&self) -> TestRevocationSource {
        TestRevocationSource {
            feed: Arc::clone(&self.feed),
            clock: Arc::clone(&self.clock),
        }
    }
}

impl Feed {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            log: Mutex::default(),
            beats: watch::Sender::new(0),
            is_partitioned: AtomicBool::new(false),
            cuts: AtomicU64::new(0),
            reports: Mutex::default(),
        })
    }

    fn publish(&self, set: String, is_lost: bool) -> u64 {
        let position = {
            let mut log = self.log();
            log.head += 1;
            let position = log.head;
            log.sets.push(Published {
                position,
                set,
                is_lost,
            });
            position
        };
        self.beats.send_modify(|_| {});
        position
    }

    fn wake(&self) {
        self.beats.send_modify(|beats| *beats += 1);
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_partitioned(&self) -> bool {
        self.is_partitioned.load(Ordering::SeqCst)
    }

    fn reached(&self) -> Result<(), FeedError> {
        if self.is_partitioned() {
            return Err(FeedError::Unreachable("partitioned".to_owned()));
        }
        Ok(())
    }
}

/// The revocations of a [`TestIssuer`], without a network between.
#[derive(Clone)]
pub struct TestRevocationSource {
    feed: Arc<Feed>,
    clock: Arc<dyn Clock>,
}

impl RevocationSource for TestRevocationSource {
    fn snapshot(&self) -> SnapshotFetch<'_> {
        Box::pin(async move {
            // As over a network, others run before the answer is there.
            tokio::task::yield_now().await;
            self.feed.reached()?;
            let log = self.feed.log();
            Ok(Snapshot {
                position: log.head,
                sets: log
                    .sets
                    .iter()
                    .map(|published| published.set.clone())
                    .collect(),
            })
        })
    }

    fn follow(&self, after: u64) -> Following<'_> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.feed.reached()?;
            let stream: Box<dyn RevocationStream> = Box::new(TestStream {
                source: self.clone(),
                beats: self.feed.beats.subscribe(),
                cuts: self.feed.cuts.load(Ordering::SeqCst),
                cursor: after,
                previous: after,
                last_beat: None,
            });
            Ok(stream)
        })
    }

    fn report<'a>(&'a self, standing: &'a Standing) -> Reporting<'a> {
        let reports = self.feed.reports.lock();
        reports
            .unwrap_or_else(PoisonError::into_inner)
            .push(standing.clone());
        Box::pin(async { Ok(()) })
    }
}

struct TestStream {
    source: TestRevocationSource,
    beats: watch::Receiver<u64>,
    cuts: u64,
    cursor: u64,
    previous: u64,
    last_beat: Option<u64>,
}

impl TestStream {
    /// What is to be told now, if anything.
    fn message(&mut self) -> Option<Result<StreamMessage, FeedError>> {
        let feed = &self.source.feed;
        let beat = *self.beats.borrow_and_update();
        if feed.is_partitioned() {
            return None;
        }
        if feed.cuts.load(Ordering::SeqCst) != self.cuts {
            return Some(Err(FeedError::Unreachable("cut".to_owned())));
        }
        let log = feed.log();
        if self.cursor < log.forgotten_up_to {
            return Some(Ok(StreamMessage::SnapshotRequired));
        }
        let cursor = self.cursor;
        for published in log
            .sets
            .iter()
            .filter(|published| published.position > cursor)
        {
            let previous = std::mem::replace(&mut self.previous, published.position);
            self.cursor = published.position;
            if !published.is_lost {
                return Some(Ok(StreamMessage::Event {
                    position: published.position,
                    previous,
                    set: published.set.clone(),
                }));
            }
        }
        if self.last_beat == Some(beat) {
            return None;
        }
        self.last_beat = Some(beat);
        let previous = std::mem::replace(&mut self.previous, log.head);
        Some(Ok(StreamMessage::Heartbeat {
            position: log.head,
            previous: Some(previous),
            issuer_time: whole_seconds(self.source.clock.now()),
        }))
    }
}

impl RevocationStream for TestStream {
    fn next(&mut self) -> StreamRead<'_> {
        Box::pin(async move {
            loop {
                if let Some(message) = self.message() {
                    return message;
                }
                if self.beats.changed().await.is_err() {
                    return Err(FeedError::Unreachable("the issuer is gone".to_owned()));
                }
            }
        })
    }
}

/// As it is written on the wire.
fn whole_seconds(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}

impl std::fmt::Debug for TestRevocationSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestRevocationSource")
    }
}
