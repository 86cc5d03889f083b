//! When a message is tried again. Pure.

use time::{Duration, OffsetDateTime};

use crate::db::outbox::MailKind;

/// The wait after the first failure; doubled with each.
const FIRST_WAIT: Duration = Duration::seconds(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::HOUR;
/// Nobody wants older news.
const GIVEN_UP_AFTER: Duration = Duration::days(2);

/// When to try again what has failed `attempts` times before; `None`: never.
pub(super) fn next_try(
    mail: &MailKind,
    attempts: i16,
    created_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Option<OffsetDateTime> {
    let doubled = u32::try_from(attempts).unwrap_or(0).min(10);
    let wait = (FIRST_WAIT * 2_i32.pow(doubled)).min(LONGEST_WAIT);
    let due_at = now + wait;
    (due_at < ends_at(mail, created_at)).then_some(due_at)
}

/// Until when a message is worth sending.
pub(super) fn ends_at(mail: &MailKind, created_at: OffsetDateTime) -> OffsetDateTime {
    match mail {
        MailKind::PasswordRecovery { expires_at, .. } => {
            OffsetDateTime::from_unix_timestamp(*expires_at).unwrap_or(created_at)
        }
        _ => created_at + GIVEN_UP_AFTER,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-02 14:00 UTC);

    #[test]
    fn each_failure_doubles_the_wait_up_to_an_hour_for_two_days() {
        let mail = MailKind::PasswordChanged {};
        let wait = |attempts, created_at| {
            next_try(&mail, attempts, created_at, NOW).map(|at| (at - NOW).whole_seconds())
        };
        assert_eq!(wait(0, NOW), Some(30));
        assert_eq!(wait(1, NOW), Some(60));
        assert_eq!(wait(6, NOW), Some(1920));
        assert_eq!(wait(7, NOW), Some(3600));
        assert_eq!(wait(900, NOW), Some(3600));
        let old = NOW - Duration::days(2) + Duration::HOUR;
        assert_eq!(wait(9, old + Duration::SECOND), Some(3600));
        assert_eq!(wait(9, old), None);
    }

    /// LOGIN-13: a link that has ended is sent to nobody.
    #[test]
    fn a_link_is_not_tried_beyond_its_end() {
        let mail = MailKind::PasswordRecovery {
            sealed: None,
            expires_at: (NOW + Duration::MINUTE).unix_timestamp(),
        };
        assert!(next_try(&mail, 0, NOW, NOW).is_some());
        assert_eq!(next_try(&mail, 1, NOW, NOW), None);
    }
}
