//! When what failed is tried again.

use time::{Duration, OffsetDateTime};

/// After the first failure.
const FIRST: Duration = Duration::seconds(2);
/// And never longer than that.
const LONGEST: Duration = Duration::minutes(5);

/// When a sink that has failed so often, one try after the other, is tried next.
pub(super) fn next_try(failures: i32, now: OffsetDateTime) -> OffsetDateTime {
    let doublings = failures.clamp(1, 16) - 1;
    now + (FIRST * 2_i32.pow(doublings.unsigned_abs())).min(LONGEST)
}

/// Whether each index is one more than the one before, from `first` on.
pub(super) fn is_without_gap(first: i64, indices: impl Iterator<Item = i64>) -> bool {
    indices
        .zip(first..)
        .all(|(index, expected)| index == expected)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{is_without_gap, next_try};

    #[test]
    fn each_failure_waits_twice_as_long_up_to_a_bound() {
        let noon = datetime!(2026-03-02 12:00 UTC);
        for (failures, seconds) in [(1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (i32::MAX, 300)] {
            let waits = (next_try(failures, noon) - noon).whole_seconds();
            assert_eq!(waits, seconds, "{failures}");
        }
    }

    #[test]
    fn a_gap_is_seen() {
        assert!(is_without_gap(5, [5, 6, 7].into_iter()));
        assert!(is_without_gap(5, [].into_iter()));
        for gap in [[6, 7, 8], [5, 7, 8], [5, 5, 6], [4, 5, 6]] {
            assert!(!is_without_gap(5, gap.into_iter()), "{gap:?}");
        }
    }
}
