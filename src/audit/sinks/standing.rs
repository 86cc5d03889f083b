//! How the sinks stand, as this process last saw it: for operators.

use std::sync::Mutex;

use time::{Duration, OffsetDateTime};

/// What was last counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    /// Sinks whose last try went well, or that had none.
    pub(super) well: i64,
    /// And the others.
    pub(super) failing: i64,
    /// Entries that the sink furthest behind does not have.
    pub(super) behind: i64,
    /// When the oldest entry was recorded that some sink does not have.
    pub(super) oldest: Option<OffsetDateTime>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct SinkStanding(Mutex<Counted>);

impl SinkStanding {
    pub(super) fn counted(&self, counted: Counted) {
        *self.0.lock().expect("no panic happens under this lock") = counted;
    }

    fn seen(&self) -> Counted {
        *self.0.lock().expect("no panic happens under this lock")
    }

    /// Sinks that do well, and that fail.
    pub fn sinks(&self) -> (i64, i64) {
        let seen = self.seen();
        (seen.well, seen.failing)
    }

    /// Entries that the sink furthest behind does not have, and how old the oldest of all is.
    pub fn lag(&self, now: OffsetDateTime) -> (i64, Duration) {
        let seen = self.seen();
        let age = seen.oldest.map_or(Duration::ZERO, |oldest| now - oldest);
        (seen.behind, age.max(Duration::ZERO))
    }
}
