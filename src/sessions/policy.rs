//! How long a session may go on. Pure.

use time::OffsetDateTime;

use super::model::{Clocks, Limits, Session, Silence};

/// The strictest of all: platform, roles, tenant and app (design §4).
pub fn strictest(platform: Limits, others: impl IntoIterator<Item = Limits>) -> Limits {
    others.into_iter().fold(platform, |strict, other| Limits {
        idle: strict.idle.min(other.idle),
        absolute: strict.absolute.min(other.absolute),
    })
}

/// At most so many silences are kept; beyond, the shortest is forgotten.
const MOST_SILENCES: usize = 64;

/// When the session ends under these limits, for someone who opened it at `opened_at`.
///
/// A silence since then that reached the idle limit ended it for good, though another clinic with
/// a laxer limit went on: what was logged off is never undone.
pub fn clocks(session: &Session, opened_at: OffsetDateTime, limits: Limits) -> Clocks {
    let session_ends_at = session.authenticated_at + limits.absolute;
    let fatal = session.silences.iter().find(|silence| {
        silence.ended_at > opened_at.unix_timestamp()
            && silence.seconds >= limits.idle.whole_seconds()
    });
    let last_active_at = match fatal {
        Some(silence) => OffsetDateTime::from_unix_timestamp(silence.ended_at - silence.seconds)
            .unwrap_or(session.authenticated_at),
        None => session.active_at,
    };
    Clocks {
        idle_ends_at: (last_active_at + limits.idle).min(session_ends_at),
        session_ends_at,
    }
}

/// Whether an instant of activity moves the idle clock: only forward, never past now, and never
/// after the session had already ended (a dead session is not revived).
pub fn moves_idle(
    session: &Session,
    opened_at: OffsetDateTime,
    limits: Limits,
    at: OffsetDateTime,
    now: OffsetDateTime,
) -> bool {
    session.active_at < at && at <= now && clocks(session, opened_at, limits).is_live(at)
}

/// The silences after something was done at `at`, later than `active_at`.
pub fn silences_after(session: &Session, at: OffsetDateTime) -> Vec<Silence> {
    let latest = Silence {
        ended_at: at.unix_timestamp(),
        seconds: (at - session.active_at).whole_seconds(),
    };
    let mut kept: Vec<Silence> = session
        .silences
        .iter()
        .copied()
        .filter(|silence| silence.seconds > latest.seconds)
        .chain((latest.seconds > 0).then_some(latest))
        .collect();
    kept.truncate(MOST_SILENCES);
    kept
}

/// Whether a policy that a clinic saves can be kept: positive, idle within absolute, and within
/// the platform's own limits.
pub fn may_save(limits: Limits, platform: Limits) -> Result<(), ContradictoryPolicy> {
    if limits.idle <= time::Duration::ZERO || limits.absolute <= time::Duration::ZERO {
        Err(ContradictoryPolicy::NotPositive)
    } else if limits.absolute < limits.idle {
        Err(ContradictoryPolicy::IdleOutlastsAbsolute)
    } else if limits.idle > platform.idle || limits.absolute > platform.absolute {
        Err(ContradictoryPolicy::AbovePlatform)
    } else {
        Ok(())
    }
}

/// The administrator's: the policy says what can't be. Nothing was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContradictoryPolicy {
    /// A limit of zero or less.
    #[error("both limits must be at least one second")]
    NotPositive,
    /// The idle limit could never be reached.
    #[error("the idle limit must not be longer than the absolute limit")]
    IdleOutlastsAbsolute,
    /// Looser than the platform allows anyone.
    #[error("the limits must not be longer than the platform's")]
    AbovePlatform,
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::ids::{AccountId, SessionId};

    const SIGN_IN: OffsetDateTime = datetime!(2026-03-01 08:00 UTC);
    const LIMITS: Limits = Limits {
        idle: Duration::minutes(15),
        absolute: Duration::hours(12),
    };

    fn session(active_at: OffsetDateTime) -> Session {
        Session {
            id: SessionId::from_uuid(uuid::Uuid::nil()),
            account: AccountId::from_uuid(uuid::Uuid::nil()),
            password_epoch: 0,
            amr: vec!["pwd".into()],
            authenticated_at: SIGN_IN,
            proved_at: SIGN_IN,
            factor_proved_at: None,
            is_graced: false,
            active_at,
            silences: Vec::new(),
            device_label: String::new(),
        }
    }

    #[test]
    fn a_session_ends_exactly_at_its_idle_end() {
        let clocks = clocks(&session(SIGN_IN), SIGN_IN, LIMITS);
        let end = SIGN_IN + LIMITS.idle;
        assert!(clocks.is_live(end - Duration::SECOND));
        assert!(!clocks.is_live(end));
        assert!(!clocks.is_live(end + Duration::SECOND));
        assert_eq!(clocks.end_reason(end), Some(super::super::EndReason::Idle));
    }

    #[test]
    fn activity_never_moves_the_absolute_end() {
        let busy = session(SIGN_IN + LIMITS.absolute - Duration::SECOND);
        let clocks = clocks(&busy, SIGN_IN, LIMITS);
        let end = SIGN_IN + LIMITS.absolute;
        assert!(clocks.is_live(end - Duration::SECOND));
        assert!(!clocks.is_live(end));
        assert_eq!(
            clocks.end_reason(end),
            Some(super::super::EndReason::Absolute)
        );
    }

    #[test]
    fn the_strictest_limit_wins_for_each_clock_by_itself() {
        let tenant = Limits {
            idle: Duration::minutes(20),
            absolute: Duration::hours(8),
        };
        let app = Limits {
            idle: Duration::minutes(10),
            absolute: Duration::hours(24),
        };
        let strict = strictest(LIMITS, [tenant, app]);
        assert_eq!(strict.idle, Duration::minutes(10));
        assert_eq!(strict.absolute, Duration::hours(8));
    }

    #[test]
    fn activity_counts_only_forward_in_the_past_and_while_alive() {
        let session = session(SIGN_IN + Duration::minutes(5));
        let now = SIGN_IN + Duration::hours(1);
        let at = |minutes| SIGN_IN + Duration::minutes(minutes);
        assert!(moves_idle(&session, SIGN_IN, LIMITS, at(6), now));
        assert!(
            !moves_idle(&session, SIGN_IN, LIMITS, at(5), now),
            "not forward"
        );
        assert!(
            !moves_idle(&session, SIGN_IN, LIMITS, at(20), now),
            "already ended then"
        );
        assert!(
            !moves_idle(&session, SIGN_IN, LIMITS, at(10), at(9)),
            "in the future"
        );
    }

    #[test]
    fn a_clinic_that_was_logged_off_stays_so_though_a_laxer_one_goes_on() {
        let at = |minutes| SIGN_IN + Duration::minutes(minutes);
        let mut session = session(SIGN_IN);
        session.silences = silences_after(&session, at(20));
        session.active_at = at(20);
        let lax = Limits {
            idle: Duration::minutes(30),
            ..LIMITS
        };
        assert_eq!(clocks(&session, SIGN_IN, LIMITS).idle_ends_at, at(15));
        assert!(clocks(&session, SIGN_IN, lax).is_live(at(21)));
        assert!(
            clocks(&session, at(20), LIMITS).is_live(at(21)),
            "opened after the silence"
        );
        for minute in 21..40 {
            session.silences = silences_after(&session, at(minute));
            session.active_at = at(minute);
        }
        assert!(
            !clocks(&session, SIGN_IN, LIMITS).is_live(at(40)),
            "and twice round"
        );
        assert_eq!(
            session.silences.len(),
            2,
            "the long one and the latest minute"
        );
    }

    #[test]
    fn a_contradictory_policy_is_refused() {
        let of = |idle, absolute| Limits {
            idle: Duration::minutes(idle),
            absolute: Duration::minutes(absolute),
        };
        let platform = of(60, 1440);
        assert_eq!(may_save(of(15, 720), platform), Ok(()));
        assert_eq!(
            may_save(of(0, 720), platform),
            Err(ContradictoryPolicy::NotPositive)
        );
        assert_eq!(
            may_save(of(30, 15), platform),
            Err(ContradictoryPolicy::IdleOutlastsAbsolute)
        );
        assert_eq!(
            may_save(of(61, 720), platform),
            Err(ContradictoryPolicy::AbovePlatform)
        );
    }
}
