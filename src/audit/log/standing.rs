//! How the anchor stands, as this process last saw it.

use std::sync::Mutex;

use time::{Duration, OffsetDateTime};

/// What is signed is anchored so soon, or operators are told (issue 4).
const LATE: Duration = Duration::seconds(60);

/// Since when all that the logs hold was known to be under anchored checkpoints.
#[derive(Debug, Default)]
pub struct Anchoring(Mutex<Option<OffsetDateTime>>);

impl Anchoring {
    /// From now on this process looks after the anchor; before that it says nothing of it.
    pub fn begin(&self, now: OffsetDateTime) {
        self.reached(now);
    }

    /// Everything that there was at `now` is anchored.
    pub(super) fn reached(&self, now: OffsetDateTime) {
        *self.0.lock().expect("no panic happens under this lock") = Some(now);
    }

    /// How long ago that was.
    pub fn age(&self, now: OffsetDateTime) -> Duration {
        let at = *self.0.lock().expect("no panic happens under this lock");
        at.map_or(Duration::ZERO, |at| now - at).max(Duration::ZERO)
    }

    /// Whether somebody has to look after the anchor.
    pub fn is_late(&self, now: OffsetDateTime) -> bool {
        self.age(now) > LATE
    }

    /// Whether nobody who works here may sign in any more: what she did could be taken out of the
    /// log, and nothing outside of the database would tell.
    pub fn keeps_staff_out(&self, now: OffsetDateTime, patience: Duration) -> bool {
        self.age(now) > patience
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn it_is_late_after_a_minute_and_keeps_staff_out_after_the_patience() {
        let noon = datetime!(2026-03-02 12:00 UTC);
        let patience = Duration::minutes(15);
        let anchoring = Anchoring::default();
        assert!(!anchoring.is_late(noon), "nobody looks after it here");
        anchoring.begin(noon);
        for (seconds, is_late, keeps_out) in [
            (0, false, false),
            (60, false, false),
            (61, true, false),
            (900, true, false),
            (901, true, true),
        ] {
            let now = noon + Duration::seconds(seconds);
            let seen = (
                anchoring.is_late(now),
                anchoring.keeps_staff_out(now, patience),
            );
            assert_eq!(seen, (is_late, keeps_out), "{seconds}");
        }
        anchoring.reached(noon + Duration::hours(1));
        assert!(!anchoring.is_late(noon + Duration::hours(1)));
    }
}
