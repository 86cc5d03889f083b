//! Instants in words. Pages show the zone they were given, and name it.

use time::{OffsetDateTime, UtcOffset};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `2:05 PM UTC`. The zone is the value's own offset.
pub fn clock_time(at: OffsetDateTime) -> String {
    let half = if at.hour() < 12 { "AM" } else { "PM" };
    let hour = match at.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    format!("{hour}:{:02} {half} {}", at.minute(), zone(at.offset()))
}

/// `Mon, Nov 23, 2026, 2:05 PM UTC`.
pub fn day_and_time(at: OffsetDateTime) -> String {
    let weekday = &at.weekday().to_string()[..3];
    let month = MONTHS[usize::from(u8::from(at.month())) - 1];
    format!(
        "{weekday}, {month} {}, {}, {}",
        at.day(),
        at.year(),
        clock_time(at)
    )
}

/// `just now`, `4 minutes ago`, `3 hours ago`, then [`day_and_time`]. An instant that has not
/// come yet (a clock behind) is `just now`.
pub fn time_ago(at: OffsetDateTime, now: OffsetDateTime) -> String {
    match (now - at).whole_minutes() {
        ..1 => "just now".to_owned(),
        1 => "1 minute ago".to_owned(),
        minutes @ 2..60 => format!("{minutes} minutes ago"),
        60..120 => "1 hour ago".to_owned(),
        minutes @ 120..1440 => format!("{} hours ago", minutes / 60),
        _ => day_and_time(at),
    }
}

/// `in 40 seconds`, from two minutes on `in 7 minutes`: rounded up. What has come is `over`.
pub fn time_left(until: OffsetDateTime, now: OffsetDateTime) -> String {
    let left = until - now;
    let seconds = left.whole_seconds() + i64::from(left.subsec_nanoseconds() > 0);
    match u32::try_from(seconds) {
        Ok(seconds @ 1..) => format!("in {}", wait(seconds)),
        _ => "over".to_owned(),
    }
}

/// `40 seconds`, from two minutes on `15 minutes`, from two hours on `3 hours`: rounded up, so that
/// whoever waits is not too early.
pub(super) fn wait(seconds: u32) -> String {
    match seconds {
        1 => "1 second".to_owned(),
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds.div_ceil(60)),
        _ => format!("{} hours", seconds.div_ceil(3600)),
    }
}

/// RFC 3339, for `<time datetime>`.
pub(super) fn machine(at: OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339)
        .expect("a year below 9999 and an offset without seconds")
}

fn zone(offset: UtcOffset) -> String {
    if offset.is_utc() {
        return "UTC".to_owned();
    }
    let (hours, minutes, _) = offset.as_hms();
    let sign = if offset.is_negative() {
        '\u{2212}'
    } else {
        '+'
    };
    format!(
        "UTC{sign}{}:{:02}",
        hours.unsigned_abs(),
        minutes.unsigned_abs()
    )
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn what_is_left_is_rounded_up_until_it_is_over() {
        let now = datetime!(2026-11-23 12:00 UTC);
        let left = |milliseconds| time_left(now + time::Duration::milliseconds(milliseconds), now);
        assert_eq!(left(900_000), "in 15 minutes");
        assert_eq!(left(900_001), "in 16 minutes");
        assert_eq!(left(1_000), "in 1 second");
        assert_eq!(left(1), "in 1 second");
        assert_eq!(left(0), "over");
        assert_eq!(left(-5_000), "over");
    }

    #[test]
    fn instants_read_as_words_at_their_edges() {
        let now = datetime!(2026-11-23 14:05:00 UTC);
        let cases = [
            (datetime!(2026-11-23 14:06:00 UTC), "just now"),
            (datetime!(2026-11-23 14:04:01 UTC), "just now"),
            (datetime!(2026-11-23 14:04:00 UTC), "1 minute ago"),
            (datetime!(2026-11-23 13:05:01 UTC), "59 minutes ago"),
            (datetime!(2026-11-23 13:05:00 UTC), "1 hour ago"),
            (datetime!(2026-11-22 14:05:01 UTC), "23 hours ago"),
            (
                datetime!(2026-11-22 14:05:00 UTC),
                "Sun, Nov 22, 2026, 2:05 PM UTC",
            ),
        ];
        for (at, words) in cases {
            assert_eq!(time_ago(at, now), words);
        }
    }

    #[test]
    fn a_wait_is_said_in_the_unit_that_fits() {
        let cases = [
            (1, "1 second"),
            (40, "40 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (121, "3 minutes"),
            (900, "15 minutes"),
            (7199, "120 minutes"),
            (7200, "2 hours"),
            (7201, "3 hours"),
        ];
        for (seconds, words) in cases {
            assert_eq!(wait(seconds), words);
        }
    }

    #[test]
    fn midnight_and_noon_are_twelve_and_a_zone_is_named() {
        assert_eq!(clock_time(datetime!(2026-11-23 00:00 UTC)), "12:00 AM UTC");
        assert_eq!(clock_time(datetime!(2026-11-23 12:30 UTC)), "12:30 PM UTC");
        assert_eq!(
            clock_time(datetime!(2026-11-23 07:09 -07:30)),
            "7:09 AM UTC\u{2212}7:30"
        );
    }
}
