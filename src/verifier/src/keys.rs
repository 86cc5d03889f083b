//! The issuer's key set, kept fresh.
//!
//! - K1: within [`JwkSet::max_age`] (5 minutes if the issuer says nothing; never under 30 s or over
//!   15 min) of its withdrawal a key is refused, while the issuer answers.
//! - K2: at most one fetch is under way, whoever asks.
//! - K3: unknown `kid`s cause at most one fetch in 30 s, however many come.
//! - K4: while the issuer is down, the last set is used up to the staleness bound, then nothing is.
//!
//! Ages are measured with tokio's monotonic clock: setting the wall clock makes no key older or
//! younger. Time that the whole machine sleeps does not count.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::error::{KeySourceError, VerifyError};
use crate::jwk::{JwkSet, VerifyingKey};
use crate::token::UnverifiedToken;

/// Where the issuer's key set comes from.
///
/// [`HttpKeySource`](crate::HttpKeySource) (feature `http-source`) asks the issuer; a process that
/// is the issuer gives its own.
pub trait KeySource: Send + Sync {
    /// Brings the present key set. Called by one task at a time; given up after 5 seconds.
    fn fetch(&self) -> KeyFetch<'_>;
}

/// What [`KeySource::fetch`] returns.
pub type KeyFetch<'a> = Pin<Box<dyn Future<Output = Result<JwkSet, KeySourceError>> + Send + 'a>>;

/// How long an issuer's answer is good when it does not say.
const DEFAULT_PERIOD: Duration = Duration::from_mins(5);
const SHORTEST_PERIOD: Duration = Duration::from_secs(30);
const LONGEST_PERIOD: Duration = Duration::from_mins(15);
/// K3.
const UNKNOWN_KID_PAUSE: Duration = Duration::from_secs(30);
/// Between two tries of a background refresh that fails.
const RETRY_PAUSE: Duration = Duration::from_secs(10);
/// Between two tries while there is no usable set at all and every request waits for one.
const COLD_RETRY_PAUSE: Duration = Duration::from_secs(1);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// K4, unless the builder says otherwise.
pub(crate) const DEFAULT_STALENESS: Duration = Duration::from_hours(1);
/// K4, whatever the builder says.
pub(crate) const LONGEST_STALENESS: Duration = Duration::from_hours(24);

/// The keys of one answer of the issuer.
pub(crate) struct KeySet {
    by_kid: HashMap<String, Arc<VerifyingKey>>,
    fetched_at: Instant,
    period: Duration,
}

impl KeySet {
    pub(crate) fn get(&self, kid: &str) -> Option<&Arc<VerifyingKey>> {
        self.by_kid.get(kid)
    }

    /// Reads the answer. A key that was there before keeps its identity, so that a token seen
    /// before can tell in one comparison whether its key still stands.
    fn read(answer: &JwkSet, before: Option<&KeySet>) -> Result<Self, KeySourceError> {
        let mut by_kid = HashMap::new();
        for jwk in &answer.keys {
            let (Some(kid), Some(key)) = (&jwk.kid, VerifyingKey::from_jwk(jwk)) else {
                continue;
            };
            let known = before
                .and_then(|set| set.get(kid))
                .filter(|known| ***known == key);
            let key = known.map_or_else(|| Arc::new(key), Arc::clone);
            if by_kid.insert(kid.clone(), key).is_some() {
                return Err(KeySourceError::Malformed("two keys of one `kid`"));
            }
        }
        let period = answer.max_age.unwrap_or(DEFAULT_PERIOD);
        Ok(Self {
            by_kid,
            fetched_at: Instant::now(),
            period: period.clamp(SHORTEST_PERIOD, LONGEST_PERIOD),
        })
    }

    /// A fifth early, so that a key published for one period is known here before it signs.
    fn refresh_at(&self) -> Instant {
        self.fetched_at + self.period * 4 / 5
    }
}

pub(crate) struct KeyCache {
    source: Box<dyn KeySource>,
    staleness: Duration,
    current: ArcSwapOption<KeySet>,
    flight: Mutex<Flight>,
    /// Counts finished fetches; who waits for one waits for the next count.
    finished: watch::Sender<u64>,
    has_refresher: AtomicBool,
}

#[derive(Default)]
struct Flight {
    is_running: bool,
    last_failed: bool,
    last_started_at: Option<Instant>,
    last_for_unknown_kid_at: Option<Instant>,
}

/// Why a fetch is wanted, which decides how soon after the last one it may be.
#[derive(Clone, Copy)]
enum Cause {
    Due,
    Cold,
    UnknownKid,
    Asked,
}

impl Flight {
    fn may_start(&self, cause: Cause, now: Instant) -> bool {
        let since = |then: Option<Instant>| then.map(|then| now.duration_since(then));
        match cause {
            Cause::Due => since(self.last_started_at).is_none_or(|gap| gap >= RETRY_PAUSE),
            Cause::Cold => since(self.last_started_at).is_none_or(|gap| gap >= COLD_RETRY_PAUSE),
            Cause::UnknownKid => {
                since(self.last_for_unknown_kid_at).is_none_or(|gap| gap >= UNKNOWN_KID_PAUSE)
            }
            Cause::Asked => true,
        }
    }
}

impl KeyCache {
    pub(crate) fn new(source: Box<dyn KeySource>, staleness: Duration) -> Arc<Self> {
        Arc::new(Self {
            source,
            staleness,
            current: ArcSwapOption::empty(),
            flight: Mutex::default(),
            finished: watch::Sender::new(0),
            has_refresher: AtomicBool::new(false),
        })
    }

    /// The set to decide with now. Waits only when there is none yet, or none young enough (K4).
    pub(crate) async fn usable(
        self: &Arc<Self>,
    ) -> Result<Guard<Option<Arc<KeySet>>>, VerifyError> {
        self.keep_fresh();
        if self.is_usable() {
            return Ok(self.current.load());
        }
        self.fetch(Cause::Cold).await;
        if self.is_usable() {
            Ok(self.current.load())
        } else {
            Err(VerifyError::KeysUnavailable)
        }
    }

    /// The key that signed this token, if it is one of the present set and its own algorithm.
    pub(crate) async fn signer(
        self: &Arc<Self>,
        token: &UnverifiedToken<'_>,
    ) -> Result<Arc<VerifyingKey>, VerifyError> {
        let key = {
            let set = self.usable().await?;
            set.as_ref()
                .and_then(|set| set.get(&token.kid))
                .map(Arc::clone)
        };
        let key = match key {
            Some(key) => key,
            None => self.unknown(&token.kid).await?,
        };
        if token.alg != key.alg() {
            return Err(VerifyError::WrongAlgorithm);
        }
        if !key.verifies(token.signing_input.as_bytes(), &token.signature) {
            return Err(VerifyError::BadSignature);
        }
        Ok(key)
    }

    /// How long ago the present set came.
    pub(crate) fn age(&self) -> Option<Duration> {
        let current = self.current.load();
        current.as_ref().map(|set| set.fetched_at.elapsed())
    }

    fn is_usable(&self) -> bool {
        let current = self.current.load();
        current
            .as_ref()
            .is_some_and(|set| set.fetched_at.elapsed() < self.staleness)
    }

    /// A key that the present set does not have: asks the issuer if it may (K3), and looks again.
    pub(crate) async fn unknown(
        self: &Arc<Self>,
        kid: &str,
    ) -> Result<Arc<VerifyingKey>, VerifyError> {
        // Twice: a fetch already under way may have been answered before the key was published.
        for _ in 0..2 {
            let Some(mut finished) = self.start(Cause::UnknownKid) else {
                break;
            };
            let _ = finished.changed().await;
            if let Some(key) = self.current.load().as_ref().and_then(|set| set.get(kid)) {
                return Ok(Arc::clone(key));
            }
        }
        if let Some(key) = self.current.load().as_ref().and_then(|set| set.get(kid)) {
            return Ok(Arc::clone(key));
        }
        // The issuer can't be asked whether it is a new key: say so rather than call it forged.
        if self.flight().last_failed {
            return Err(VerifyError::KeysUnavailable);
        }
        Err(VerifyError::UnknownKey)
    }

    /// Fetches now, whatever the pauses; joins a fetch under way. True if it brought a set.
    pub(crate) async fn refresh(self: &Arc<Self>) -> bool {
        self.fetch(Cause::Asked).await;
        !self.flight().last_failed
    }

    async fn fetch(self: &Arc<Self>, cause: Cause) {
        if let Some(mut finished) = self.start(cause) {
            let _ = finished.changed().await;
        }
    }

    /// Starts a fetch in a task of its own, so that a request that goes away does not end it.
    /// `None`: it is too soon. Otherwise what changes when the fetch under way is done.
    fn start(self: &Arc<Self>, cause: Cause) -> Option<watch::Receiver<u64>> {
        let now = Instant::now();
        let mut flight = self.flight();
        if flight.is_running {
            // It lands by this same lock, so its end is still to come.
            return Some(self.finished.subscribe());
        }
        if !flight.may_start(cause, now) {
            return None;
        }
        flight.is_running = true;
        flight.last_started_at = Some(now);
        if matches!(cause, Cause::UnknownKid) {
            flight.last_for_unknown_kid_at = Some(now);
        }
        let finished = self.finished.subscribe();
        drop(flight);
        let landing = Landing {
            cache: Arc::clone(self),
            failed: true,
        };
        tokio::spawn(landing.fly());
        Some(finished)
    }

    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that one task refreshes the set when it is due, also while no request comes.
    fn keep_fresh(self: &Arc<Self>) {
        if !self.has_refresher.load(Ordering::Relaxed)
            && !self.has_refresher.swap(true, Ordering::AcqRel)
        {
            tokio::spawn(Refresher(Arc::downgrade(self)).run());
        }
    }
}

/// One fetch. Whatever ends it (an answer, a panic of the source, the runtime's end), those who
/// wait are woken and the next fetch can start.
struct Landing {
    cache: Arc<KeyCache>,
    failed: bool,
}

impl Landing {
    async fn fly(mut self) {
        let answer = match timeout(FETCH_TIMEOUT, self.cache.source.fetch()).await {
            Ok(answer) => answer,
            Err(_) => Err(KeySourceError::Unreachable("no answer in 5 s".to_owned())),
        };
        let before = self.cache.current.load_full();
        match answer.and_then(|answer| KeySet::read(&answer, before.as_deref())) {
            Ok(set) => {
                self.cache.current.store(Some(Arc::new(set)));
                self.failed = false;
            }
            Err(error) => tracing::warn!(%error, "the issuer's keys were not refreshed"),
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flight = self.cache.flight();
        flight.is_running = false;
        flight.last_failed = self.failed;
        drop(flight);
        self.cache.finished.send_modify(|count| *count += 1);
    }
}

/// Lives as long as the cache and its runtime; a cache used on from another runtime gets a new one.
struct Refresher(Weak<KeyCache>);

impl Refresher {
    async fn run(self) {
        loop {
            let Some(cache) = self.0.upgrade() else {
                return;
            };
            let now = Instant::now();
            let due = cache.current.load().as_ref().map(|set| set.refresh_at());
            if due.is_some_and(|due| due <= now) {
                cache.fetch(Cause::Due).await;
            }
            drop(cache);
            // While there is no set yet, the requests themselves ask for it.
            let soonest = now + COLD_RETRY_PAUSE;
            tokio::time::sleep_until(due.map_or(soonest, |due| due.max(soonest))).await;
        }
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        if let Some(cache) = self.0.upgrade() {
            cache.has_refresher.store(false, Ordering::Release);
        }
    }
}
