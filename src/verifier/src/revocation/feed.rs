//! What the verifier knows of revocations, and how sure it is of it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::following::Follower;
use super::set::{self, Revoked};
use super::source::{RevocationSource, Standing};
use super::{MOST_HELD, Mark, Revocations, WhenStale};
use crate::claims::LEEWAY;
use crate::clock::{Clock, Latest, Moment};
use crate::error::VerifyError;
use crate::introspection::{Asked, Introspector};
use crate::keys::KeyCache;
use crate::seen::SeenToken;
use crate::token::{SECURITY_EVENT, UnverifiedToken};

/// V4, unless the builder says otherwise: six heartbeats.
pub(crate) const DEFAULT_BOUND: Duration = Duration::from_secs(30);
/// Two heartbeats: below that, every hiccup would be an outage.
pub(crate) const SHORTEST_BOUND: Duration = Duration::from_secs(10);
pub(crate) const LONGEST_BOUND: Duration = Duration::from_mins(5);
/// For how long after the beginning requests wait for the first word of the issuer.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Keys that came since then are not asked for again because one is not among them.
const JUST_NOW: Duration = Duration::from_secs(1);

/// What a [`Builder`](crate::Builder) was told about revocations.
pub(crate) struct Wanted {
    pub(crate) source: Option<Box<dyn RevocationSource>>,
    pub(crate) introspector: Option<Box<dyn Introspector>>,
    pub(crate) bound: Duration,
    pub(crate) when_stale: WhenStale,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            source: None,
            introspector: None,
            bound: DEFAULT_BOUND,
            when_stale: WhenStale::default(),
        }
    }
}

/// Whom to believe, and by what.
pub(crate) struct Whose {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Arc<KeyCache>,
}

pub(crate) struct Feed {
    pub(super) source: Arc<dyn RevocationSource>,
    whose: Whose,
    introspector: Option<Asked>,
    bound: Duration,
    when_stale: WhenStale,
    revocations: Revocations,
    /// Up to when everything was told.
    told: Latest,
    /// Whether it ever was.
    first: watch::Sender<bool>,
    /// When a request first had to wait for that.
    began: OnceLock<Instant>,
    /// One more than the last position; 0: none.
    position: AtomicU64,
    pub(super) counts: Counts,
    instance: String,
    has_task: AtomicBool,
    task: Mutex<Option<AbortHandle>>,
}

/// What happened since the verifier was built.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) accepted: AtomicU64,
    pub(super) unusable: AtomicU64,
    pub(super) snapshots: AtomicU64,
    pub(super) connections: AtomicU64,
}

/// How the verifier stands with the issuer's revocations, for a health check or a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedStatus {
    /// Since when something could have been revoked and not be known here; `None` before the first
    /// time.
    pub lag: Option<Duration>,
    /// Whether that is within the bound.
    pub is_current: bool,
    /// The last position that was told.
    pub position: Option<u64>,
    /// Revocations in force here.
    pub held: usize,
    /// Security event tokens taken since the verifier was built, those of snapshots included.
    pub accepted: u64,
    /// How often what came as a security event token could not be used: not the issuer's, not for
    /// this API, not readable, or by a key that can't be had now. It is asked for again, and
    /// nothing after it is taken before it: where this grows, the verifier is not current for long.
    pub unusable: u64,
    /// Snapshots taken: one at the start, one for each loss.
    pub snapshots: u64,
    /// Streams opened.
    pub connections: u64,
}

impl Feed {
    /// `None` if nobody tells of revocations: then tokens are good until they end.
    pub(crate) fn new(wanted: Wanted, whose: Whose) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            source: Arc::from(wanted.source?),
            whose,
            introspector: wanted.introspector.map(Asked::new),
            bound: wanted.bound.clamp(SHORTEST_BOUND, LONGEST_BOUND),
            when_stale: wanted.when_stale,
            revocations: Revocations::holding(MOST_HELD),
            told: Latest::never(),
            first: watch::Sender::new(false),
            began: OnceLock::new(),
            position: AtomicU64::new(0),
            counts: Counts::default(),
            instance: format!("{:016x}", RandomState::new().hash_one(())),
            has_task: AtomicBool::new(false),
            task: Mutex::default(),
        }))
    }

    /// Whether a token whose signature, times and key are good may be used now.
    ///
    /// - `when_stale`: the route's policy, if it has one.
    pub(crate) async fn judge(
        self: &Arc<Self>,
        token: &str,
        seen: &SeenToken,
        when_stale: Option<WhenStale>,
    ) -> Result<(), VerifyError> {
        self.keep_following();
        self.ask(seen)?;
        let policy = when_stale.unwrap_or(self.when_stale);
        let bound = match policy {
            WhenStale::AcceptUpTo(bound) => bound,
            WhenStale::FailClosed | WhenStale::Introspect => self.bound,
        };
        if self.is_within(bound) {
            return Ok(());
        }
        let introspector = match policy {
            WhenStale::Introspect => self.introspector.as_ref(),
            WhenStale::FailClosed | WhenStale::AcceptUpTo(_) => None,
        };
        // Who may ask need not wait.
        if introspector.is_none() && !*self.first.borrow() {
            let until = *self.began.get_or_init(Instant::now) + FIRST_WAIT;
            let mut first = self.first.subscribe();
            let _ = timeout_at(until, first.wait_for(|is_told| *is_told)).await;
            self.ask(seen)?;
            if self.is_within(bound) {
                return Ok(());
            }
        }
        let Some(introspector) = introspector else {
            if policy == WhenStale::Introspect {
                tracing::error!("a route wants introspection, and none was given");
            }
            return Err(VerifyError::RevocationsStale);
        };
        let asked = introspector
            .ask(token, &seen.answer, &*self.whose.clock)
            .await;
        // What came meanwhile counts.
        self.ask(seen)?;
        asked
    }

    fn ask(&self, seen: &SeenToken) -> Result<(), VerifyError> {
        if self
            .revocations
            .refuse(&seen.marks, seen.validity.issued_at())
        {
            return Err(VerifyError::Revoked);
        }
        Ok(())
    }

    fn is_within(&self, bound: Duration) -> bool {
        self.lag().is_some_and(|lag| lag <= bound)
    }

    fn lag(&self) -> Option<Duration> {
        self.told.age(Moment::now(&*self.whose.clock))
    }

    pub(crate) fn status(&self) -> FeedStatus {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        FeedStatus {
            lag: self.lag(),
            is_current: self.is_within(self.bound),
            position: self.position.load(Ordering::Acquire).checked_sub(1),
            held: self.revocations.len(),
            accepted: count(&self.counts.accepted),
            unusable: count(&self.counts.unusable),
            snapshots: count(&self.counts.snapshots),
            connections: count(&self.counts.connections),
        }
    }

    /// Waits until everything was told once.
    pub(crate) async fn first_told(self: &Arc<Self>) {
        self.keep_following();
        let mut first = self.first.subscribe();
        // Its sender is this feed's, which is there.
        let _ = first.wait_for(|is_told| *is_told).await;
    }

    pub(super) fn standing(&self) -> Standing {
        let FeedStatus { lag, position, .. } = self.status();
        let millis = |lag: Duration| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        Standing {
            version: env!("CARGO_PKG_VERSION"),
            instance: self.instance.clone(),
            keys_age_seconds: self.whose.keys.age().unwrap_or_default().as_secs(),
            position,
            lag_milliseconds: lag.map(millis),
        }
    }

    /// Sees to it that one task follows the issuer.
    fn keep_following(self: &Arc<Self>) {
        if !self.has_task.load(Ordering::Relaxed) && !self.has_task.swap(true, Ordering::AcqRel) {
            let task = tokio::spawn(Follower::new(self).run());
            *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        }
    }

    pub(super) fn has_no_task(&self) {
        self.has_task.store(false, Ordering::Release);
    }

    pub(super) fn is_at(&self, position: u64) {
        self.position
            .store(position.saturating_add(1), Ordering::Release);
    }

    /// Everything that was revoked before `issuer_time` is known now.
    ///
    /// The issuer's clock and ours differ by the leeway at most; what it says to have said longer
    /// ago was held up on its way. If it says to have said it later than now, one of the clocks is
    /// wrong, and by so much it is not known how long it was on its way.
    pub(super) fn is_told_up_to(&self, issuer_time: OffsetDateTime) {
        let now = Moment::now(&*self.whose.clock);
        let ago = (now.wall() - issuer_time).unsigned_abs();
        self.told.note(now, ago.saturating_sub(LEEWAY));
        self.revocations.forget(now.wall().unix_timestamp());
        self.first
            .send_if_modified(|is_told| !std::mem::replace(is_told, true));
    }

    /// Takes one security event token.
    ///
    /// # Errors
    /// Why it can't be used, whatever it is. Only the issuer writes here, so what it stands for may
    /// be a revocation: signed by a key newer than those that are known here, or by a process that
    /// has not heard yet that its key was withdrawn. It must not be passed over.
    /// [`VerifyError::RevocationsStale`]: there is no room for what it says.
    pub(super) async fn take(&self, token: &str) -> Result<(), VerifyError> {
        let revoked = self.read(token).await.inspect_err(|error| {
            tracing::warn!(%error, "a security event token can't be used: asking for it again");
            self.counts.unusable.fetch_add(1, Ordering::Relaxed);
        })?;
        self.counts.accepted.fetch_add(1, Ordering::Relaxed);
        revoked.map_or(Ok(()), |revoked| self.apply(revoked))
    }

    async fn read(&self, token: &str) -> Result<Option<Revoked>, VerifyError> {
        let Whose {
            issuer,
            audience,
            keys,
            ..
        } = &self.whose;
        let token = UnverifiedToken::parse(token, SECURITY_EVENT)?;
        let signed_by = [Mark::Key(token.kid.as_str().into()).into()];
        if self.revocations.refuse(&signed_by, i64::MIN) {
            return Err(VerifyError::UnknownKey);
        }
        match keys.signer(&token).await {
            // Perhaps a key newer than the set. Only the issuer writes here, so it may be asked at
            // once.
            Err(VerifyError::UnknownKey) if keys.age().is_none_or(|age| age > JUST_NOW) => {
                if !keys.refresh().await {
                    return Err(VerifyError::KeysUnavailable);
                }
                keys.signer(&token).await?;
            }
            signed => drop(signed?),
        }
        set::read(&token.payload, issuer, audience)
    }

    fn apply(&self, revoked: Revoked) -> Result<(), VerifyError> {
        for mark in revoked.marks {
            if matches!(mark, Mark::Key(_)) {
                let keys = Arc::clone(&self.whose.keys);
                tokio::spawn(async move { keys.refresh().await });
            }
            if self.revocations.add(mark, revoked.issued_until).is_err() {
                tracing::error!("more is revoked than can be held: not up to date from now on");
                return Err(VerifyError::RevocationsStale);
            }
        }
        Ok(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)
    }
}
