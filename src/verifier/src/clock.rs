//! Where "now" comes from.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

/// Tells the time. An API passes its own in tests; [`SystemClock`] is the default.
pub trait Clock: Send + Sync {
    /// The present instant, UTC.
    fn now(&self) -> OffsetDateTime;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where real time comes in"
    )]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// An instant by two clocks. How long ago it was is what the one that says more says: the wall
/// clock can be set back, and the steady one stands still while the machine sleeps.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    wall: OffsetDateTime,
    steady: Instant,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            steady: Instant::now(),
        }
    }

    pub(crate) fn wall(self) -> OffsetDateTime {
        self.wall
    }
}

/// The latest of some moments, to the millisecond; read and written without a lock.
pub(crate) struct Latest {
    born: Instant,
    wall: AtomicI64,
    steady: AtomicI64,
}

/// No moment yet.
const NEVER: i64 = i64::MIN;

impl Latest {
    pub(crate) fn never() -> Self {
        Self {
            born: Instant::now(),
            wall: AtomicI64::new(NEVER),
            steady: AtomicI64::new(NEVER),
        }
    }

    /// Notes a moment, `ago` before that one.
    pub(crate) fn note(&self, moment: Moment, ago: Duration) {
        let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX / 2);
        let [wall, steady] = self.millis(moment);
        // Apart, and each only forward: whoever reads between sees the older of one of them.
        self.wall
            .fetch_max(wall.saturating_sub(ago), Ordering::AcqRel);
        self.steady
            .fetch_max(steady.saturating_sub(ago), Ordering::AcqRel);
    }

    /// How long before `now` the latest was; `None` if there was none.
    pub(crate) fn age(&self, now: Moment) -> Option<Duration> {
        let noted = [&self.wall, &self.steady].map(|clock| clock.load(Ordering::Acquire));
        if noted.contains(&NEVER) {
            return None;
        }
        let ages = self.millis(now).into_iter().zip(noted);
        let oldest = ages.map(|(now, then)| now.saturating_sub(then)).max()?;
        Some(Duration::from_millis(
            u64::try_from(oldest).unwrap_or_default(),
        ))
    }

    fn millis(&self, moment: Moment) -> [i64; 2] {
        let wall = moment.wall.unix_timestamp_nanos() / 1_000_000;
        let steady = moment
            .steady
            .saturating_duration_since(self.born)
            .as_millis();
        [
            i64::try_from(wall).unwrap_or(i64::MAX),
            i64::try_from(steady).unwrap_or(i64::MAX),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn how_long_ago_is_what_the_clock_says_that_says_more() {
        let latest = Latest::never();
        let at = |seconds: i64| Moment {
            wall: OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(seconds),
            steady: Instant::now(),
        };
        assert_eq!(latest.age(at(0)), None);
        latest.note(at(1000), Duration::from_secs(2));
        let age = |now: Moment| latest.age(now).expect("one was noted").as_secs();
        assert_eq!(age(at(1000)), 2);
        assert_eq!(age(at(1030)), 32, "the machine slept");
        assert_eq!(age(at(900)), 2, "the clock was set back");
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(age(at(900)), 62);
        latest.note(at(900), Duration::ZERO);
        assert_eq!(age(at(1000)), 2, "no clock makes the older one the later");
    }
}
