//! What is asked of a session before it is let in. Pure.

use time::{Duration, OffsetDateTime};

/// How fresh a proof must be for a change of factors.
pub const FRESH: Duration = Duration::minutes(5);

/// What is known of a session and its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "six facts, whose table is the test below"
)]
pub struct Facts {
    /// Whether the account has a device that counts.
    pub has_device: bool,
    /// Whether a second factor was proved in this session.
    pub is_proved: bool,
    /// Whether one of her roles, or her clinic, asks for it.
    pub is_required: bool,
    /// Whether the app asks for it, by the context of authentication it wants.
    pub is_asked: bool,
    /// Whether this session is the account's one sign-in of grace.
    pub is_graced: bool,
    /// Whether that sign-in is still to be had.
    pub grace_is_left: bool,
}

/// What she has to do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    Nothing,
    /// Prove a second factor.
    Prove,
    /// Set one up; `may_postpone`: or use her one sign-in of grace.
    Enroll {
        /// Whether she may say "not now".
        may_postpone: bool,
    },
}

/// Decides. Grace stands in for a requirement, never for what an app asks for: its token would
/// claim a factor that nobody proved.
pub const fn demand(facts: &Facts) -> Demand {
    if facts.is_proved {
        Demand::Nothing
    } else if facts.has_device {
        Demand::Prove
    } else if facts.is_asked {
        Demand::Enroll {
            may_postpone: false,
        }
    } else if facts.is_required && !facts.is_graced {
        Demand::Enroll {
            may_postpone: facts.grace_is_left,
        }
    } else {
        Demand::Nothing
    }
}

/// Whether factors may be changed in a session: by a factor proved just now; while there is none,
/// by a password proved just now.
pub fn may_change(
    has_device: bool,
    password_at: OffsetDateTime,
    factor_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> bool {
    let is_fresh = |at: OffsetDateTime| now - at < FRESH;
    if has_device {
        factor_at.is_some_and(is_fresh)
    } else {
        is_fresh(password_at)
    }
}

/// Whether one of so many devices may be removed: the last one only if nobody requires any.
pub const fn may_remove(devices: usize, is_required: bool) -> bool {
    devices > 1 || !is_required
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    /// device, proved, required, asked, graced, grace left
    fn of(text: &str) -> Demand {
        let mut is = text.bytes().map(|b| b == b'1');
        let mut next = || is.next().expect("six facts");
        demand(&Facts {
            has_device: next(),
            is_proved: next(),
            is_required: next(),
            is_asked: next(),
            is_graced: next(),
            grace_is_left: next(),
        })
    }

    /// LOGIN-10.
    #[test]
    fn every_state_of_a_session_meets_its_demand() {
        for number in 0..64_u32 {
            let text = format!("{number:06b}");
            let expected = match text.as_bytes() {
                [b'1', b'0', ..] => Demand::Prove,
                [b'0', b'0', _, b'1', ..] => Demand::Enroll {
                    may_postpone: false,
                },
                [b'0', b'0', b'1', b'0', b'0', left] => Demand::Enroll {
                    may_postpone: *left == b'1',
                },
                _ => Demand::Nothing,
            };
            assert_eq!(of(&text), expected, "{text}");
        }
    }

    /// LOGIN-16.
    #[test]
    fn factors_change_only_under_a_proof_of_the_last_five_minutes() {
        let now = datetime!(2026-03-02 14:00 UTC);
        let ago = |minutes| now - Duration::minutes(minutes);
        assert!(may_change(false, ago(4), None, now));
        assert!(!may_change(false, ago(5), None, now));
        assert!(may_change(true, ago(600), Some(ago(4)), now));
        assert!(!may_change(true, ago(0), Some(ago(5)), now));
        assert!(
            !may_change(true, ago(0), None, now),
            "a password is no factor"
        );
    }

    #[test]
    fn the_last_device_stays_while_somebody_requires_one() {
        assert!(may_remove(2, true));
        assert!(!may_remove(1, true));
        assert!(may_remove(1, false));
    }
}
