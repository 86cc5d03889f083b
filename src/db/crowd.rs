//! Waiting for those who had a bundle to come again.
//!
//! Clients that ask anew as soon as they are answered fall into two halves: one has its bundle
//! while the other's answers are on their way, and each pays a whole bundle's price for half of a
//! crowd. PostgreSQL has the same cure for its flushes (`commit_delay`).

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// As long as they are waited for. Many times what they need: it is how long nobody's coming is
/// felt.
const RETURN: Duration = Duration::from_millis(3);
/// Fewer than so many are not worth it.
const FEWEST: usize = 4;
/// After so many bundles at most it is tried again.
const MOST_PASSES: u32 = 63;
/// Nobody is waited for.
const NOBODY: usize = usize::MAX;

/// How many a line waits for. One lane at a time waits.
#[derive(Debug)]
pub(super) struct Crowd {
    expected: AtomicUsize,
    are_there: Notify,
}

impl Default for Crowd {
    fn default() -> Self {
        Self {
            expected: AtomicUsize::new(NOBODY),
            are_there: Notify::new(),
        }
    }
}

impl Crowd {
    /// So many stand in line now.
    pub(super) fn joined(&self, waiting: usize) {
        if waiting >= self.expected.load(Ordering::Acquire) {
            self.are_there.notify_waiters();
        }
    }

    /// Whether a lane waits, and will serve whoever stands in line.
    pub(super) fn is_awaited(&self) -> bool {
        self.expected.load(Ordering::Acquire) != NOBODY
    }

    /// Whether `expected` stand in line before patience ends.
    async fn comes(&self, expected: usize, waiting: impl Fn() -> usize) -> bool {
        let mut are_there = pin!(self.are_there.notified());
        // From here on a call is heard.
        are_there.as_mut().enable();
        let taken =
            self.expected
                .compare_exchange(NOBODY, expected, Ordering::AcqRel, Ordering::Acquire);
        if taken.is_err() {
            return false;
        }
        let _awaiting = Awaiting(self);
        waiting() >= expected || tokio::time::timeout(RETURN, are_there).await.is_ok()
    }
}

/// While it lives somebody is waited for: a lane that is gone would be waited for in vain itself.
struct Awaiting<'a>(&'a Crowd);

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.expected.store(NOBODY, Ordering::Release);
    }
}

/// A lane's trust in its crowd: it waits again and again for one that comes, and ever more seldom
/// for one that does not.
#[derive(Debug, Default)]
pub(super) struct Trust {
    passes: u32,
    passed: u32,
}

impl Trust {
    /// After a bundle, before the next: waits until `all` that were seen are in line.
    pub(super) async fn wait(&mut self, crowd: &Crowd, all: usize, waiting: impl Fn() -> usize) {
        if self.passes > 0 {
            self.passes -= 1;
        } else if all >= FEWEST && waiting() < all {
            let has_come = crowd.comes(all, waiting).await;
            self.passed = if has_come {
                0
            } else {
                (2 * self.passed + 1).min(MOST_PASSES)
            };
            self.passes = self.passed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_again_is_waited_for() {
        let (crowd, mut trust) = (Crowd::default(), Trust::default());
        let line = AtomicUsize::new(5);
        let joins = async {
            for waiting in 6..=8 {
                tokio::task::yield_now().await;
                line.store(waiting, Ordering::Relaxed);
                crowd.joined(waiting);
            }
        };
        let waits = trust.wait(&crowd, 8, || line.load(Ordering::Relaxed));
        tokio::join!(waits, joins);
        assert_eq!(
            (trust.passes, trust.passed),
            (0, 0),
            "and is trusted to come again"
        );
    }

    #[tokio::test]
    async fn who_does_not_come_is_waited_for_ever_more_seldom() {
        let (crowd, mut trust) = (Crowd::default(), Trust::default());
        let mut waits = Vec::new();
        for bundle in 0..140 {
            let before = trust.passes;
            trust.wait(&crowd, 8, || 5).await;
            if before == 0 {
                waits.push(bundle);
            }
        }
        assert_eq!(waits, [0, 2, 6, 14, 30, 62, 126]);
        trust.passes = 0;
        trust.wait(&crowd, FEWEST - 1, || 0).await;
        assert_eq!(trust.passes, 0, "so few are not waited for");
    }

    #[tokio::test]
    async fn one_lane_at_a_time_waits() {
        let crowd = Crowd::default();
        let both = async { tokio::join!(crowd.comes(8, || 5), crowd.comes(6, || 5)) };
        let joins = async {
            assert!(crowd.is_awaited());
            crowd.joined(8);
        };
        let ((first, second), ()) = tokio::join!(both, joins);
        assert!(first && !second && !crowd.is_awaited());
    }
}
