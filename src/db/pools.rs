//! How the pools stand and what was waited for: for operators.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::pool::Pool;

/// What beginnings of transactions have cost one plane.
#[derive(Debug, Default)]
pub struct Waits {
    waiting: AtomicU64,
    begun: AtomicU64,
    refused: AtomicU64,
    waited_microseconds: AtomicU64,
}

/// Counts as waiting until dropped: a canceled caller does not wait on.
pub(super) struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Waits {
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.waiting)
    }

    pub(super) fn count(&self, waited: Duration, has_begun: bool) {
        let microseconds = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited_microseconds
            .fetch_add(microseconds, Ordering::Relaxed);
        let count = if has_begun {
            &self.begun
        } else {
            &self.refused
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// One plane's pool at one moment.
#[derive(Clone, Copy, Debug)]
pub struct PoolStanding {
    /// Whose.
    pub plane: &'static str,
    /// Open connections.
    pub open: u32,
    /// Of these, those in nobody's hand.
    pub idle: u32,
    /// At most so many.
    pub most: u32,
    /// Callers that wait for a transaction to begin.
    pub waiting: u64,
    /// Transactions begun since the start.
    pub begun: u64,
    /// Those that could not begin.
    pub refused: u64,
    /// All waiting together.
    pub waited: Duration,
}

impl PoolStanding {
    pub(super) fn of(plane: &'static str, pool: &Pool, waits: &Waits) -> Self {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (open, idle) = pool.open_and_idle();
        Self {
            plane,
            open,
            idle,
            most: pool.most(),
            waiting: read(&waits.waiting),
            begun: read(&waits.begun),
            refused: read(&waits.refused),
            waited: Duration::from_micros(read(&waits.waited_microseconds)),
        }
    }
}
