//! The one task that follows the issuer.
//!
//! A snapshot, then the stream from its position; after a break the stream from where it was;
//! after a loss a snapshot again. It never gives up, and never holds what it follows alive: only
//! while a message is taken does it own the feed.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::feed::Feed;
use super::source::{FeedError, RevocationSource, RevocationStream, StreamMessage};
use crate::error::VerifyError;

const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(30);
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(10);
/// Three heartbeats: a connection that says nothing for so long is dead.
const SILENCE: Duration = Duration::from_secs(15);
const REPORT_PERIOD: Duration = Duration::from_secs(30);
/// Before the second try; doubled for each one that fails, up to the longest. Between half of it
/// and all of it, by chance, so that a restarted issuer is not met by all at once.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between two sets of a snapshot, after so many, others may run.
const SETS_AT_ONCE: usize = 32;

pub(super) struct Follower {
    feed: Weak<Feed>,
    source: Arc<dyn RevocationSource>,
    /// The position from which the stream goes on; `None`: a snapshot is needed.
    at: Option<u64>,
    failures: u32,
    reported_at: Option<Instant>,
}

/// Why a stream was left.
enum Left {
    /// The verifier is gone.
    Deserted,
    /// The connection broke, or what was said can't be used: go on from the same position.
    Broken(String),
    /// Something was missed.
    Lost(&'static str),
}

impl From<FeedError> for Left {
    fn from(error: FeedError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<VerifyError> for Left {
    fn from(error: VerifyError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl Follower {
    pub(super) fn new(feed: &Arc<Feed>) -> Self {
        Self {
            feed: Arc::downgrade(feed),
            source: Arc::clone(&feed.source),
            at: None,
            failures: 0,
            reported_at: None,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            match self.follow().await {
                Ok(never) => match never {},
                Err(Left::Deserted) => return,
                // An issuer ends each stream after a while, so the first time says nothing.
                Err(Left::Broken(why)) if self.failures == 0 => {
                    tracing::debug!(why, "the stream of revocations broke: opening another");
                }
                Err(Left::Broken(why)) => {
                    tracing::warn!(why, "revocations are not followed: trying again");
                }
                Err(Left::Lost(why)) => {
                    tracing::warn!(why, "revocations were missed: taking a snapshot");
                    self.at = None;
                }
            }
            sleep(self.pause()).await;
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Left> {
        let at = match self.at {
            Some(at) => at,
            None => self.snapshot().await?,
        };
        self.at = Some(at);
        let stream = timeout(FOLLOW_TIMEOUT, self.source.follow(at)).await;
        let mut stream = stream.map_err(|_| Left::Broken("no stream in 10 s".to_owned()))??;
        self.feed()?
            .counts
            .connections
            .fetch_add(1, Ordering::Relaxed);
        loop {
            let message = next(&mut *stream).await?;
            self.take(message).await?;
            // Only who was told something has a connection that works.
            self.failures = 0;
            self.report();
        }
    }

    async fn snapshot(&mut self) -> Result<u64, Left> {
        let snapshot = timeout(SNAPSHOT_TIMEOUT, self.source.snapshot()).await;
        let snapshot = snapshot.map_err(|_| Left::Broken("no snapshot in 30 s".to_owned()))??;
        for sets in snapshot.sets.chunks(SETS_AT_ONCE) {
            let feed = self.feed()?;
            for set in sets {
                feed.take(set).await?;
            }
            drop(feed);
            tokio::task::yield_now().await;
        }
        let feed = self.feed()?;
        feed.counts.snapshots.fetch_add(1, Ordering::Relaxed);
        feed.is_at(snapshot.position);
        Ok(snapshot.position)
    }

    async fn take(&mut self, message: StreamMessage) -> Result<(), Left> {
        let feed = self.feed()?;
        let at = self.at.unwrap_or_default();
        match message {
            StreamMessage::Event {
                position,
                previous,
                set,
            } => {
                if previous != at || position <= at {
                    return Err(Left::Lost("a message is missing"));
                }
                feed.take(&set).await?;
                self.at = Some(position);
                feed.is_at(position);
            }
            StreamMessage::Heartbeat {
                position,
                previous,
                issuer_time,
            } => {
                if previous.is_some_and(|previous| previous != at) || position < at {
                    return Err(Left::Lost("a message is missing before a heartbeat"));
                }
                self.at = Some(position);
                feed.is_at(position);
                feed.is_told_up_to(issuer_time);
            }
            StreamMessage::SnapshotRequired => return Err(Left::Lost("too long away")),
        }
        Ok(())
    }

    /// Tells the issuer how this verifier stands, beside all else.
    fn report(&mut self) {
        let is_due = |at: Instant| at.elapsed() >= REPORT_PERIOD;
        if !self.reported_at.is_none_or(is_due) {
            return;
        }
        let Ok(feed) = self.feed() else { return };
        self.reported_at = Some(Instant::now());
        let (standing, source) = (feed.standing(), Arc::clone(&self.source));
        tokio::spawn(async move {
            if let Err(error) = source.report(&standing).await {
                tracing::debug!(%error, "the issuer was not told how this verifier stands");
            }
        });
    }

    fn feed(&self) -> Result<Arc<Feed>, Left> {
        self.feed.upgrade().ok_or(Left::Deserted)
    }

    fn pause(&mut self) -> Duration {
        let longest = FIRST_PAUSE * 2_u32.pow(self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        let half = longest.min(LONGEST_PAUSE) / 2;
        // The standard library's own randomness, which is enough for a pause.
        let chance = RandomState::new().hash_one(self.failures) % 1000;
        half + half * u32::try_from(chance).unwrap_or_default() / 1000
    }
}

async fn next(stream: &mut dyn RevocationStream) -> Result<StreamMessage, Left> {
    match timeout(SILENCE, stream.next()).await {
        Ok(message) => Ok(message?),
        Err(_) => Err(Left::Broken("no word in 15 s".to_owned())),
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(feed) = self.feed.upgrade() {
            feed.has_no_task();
        }
    }
}
