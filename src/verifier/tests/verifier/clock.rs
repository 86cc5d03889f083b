//! Clocks for the tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lanyard_verifier::Clock;
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

/// Stands still until told otherwise. Clones are one clock.
#[derive(Clone)]
pub(crate) struct FixedClock(Arc<AtomicI64>);

impl FixedClock {
    /// In Unix seconds.
    pub(crate) fn at(unix_seconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(unix_seconds)))
    }

    pub(crate) fn set(&self, unix_seconds: i64) {
        self.0.store(unix_seconds, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> OffsetDateTime {
        let seconds = self.0.load(Ordering::SeqCst);
        OffsetDateTime::from_unix_timestamp(seconds).expect("in range")
    }
}

/// Goes with tokio's clock, which a test can pause and advance.
#[derive(Clone, Copy)]
pub(crate) struct TokioClock {
    start: Instant,
    ahead: Duration,
}

impl TokioClock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            ahead: Duration::ZERO,
        }
    }

    /// A clock that says so many seconds more than this one.
    pub(crate) fn ahead(self, seconds: i64) -> Self {
        let ahead = self.ahead + Duration::seconds(seconds);
        Self { ahead, ..self }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> OffsetDateTime {
        let passed = Duration::try_from(self.start.elapsed()).expect("in range");
        OffsetDateTime::from_unix_timestamp(1_790_000_000).expect("in range") + passed + self.ahead
    }
}
