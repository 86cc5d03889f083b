//! Who may act as whom. Pure: the same answer at the request, at the start and at each token.

use time::OffsetDateTime;

use super::model::{FACTOR_WITHIN, Grant, Rule, State, TOKEN_LIFE};
use crate::ids::{AccountId, SessionId, TenantId};

/// The actor, as the platform knows him at this moment.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts, each of which alone denies: the test below"
)]
pub struct ActorFacts {
    /// His account.
    pub account: AccountId,
    /// Whether membership and account are active.
    pub is_active: bool,
    /// Whether one of his roles is lent anything.
    pub is_lent: bool,
    /// Whether he speaks out of an impersonation himself.
    pub is_acting: bool,
    /// His session.
    pub session: SessionId,
    /// Whether it goes on.
    pub session_is_live: bool,
    /// When he last proved a second factor in it.
    pub factor_proved_at: Option<OffsetDateTime>,
}

/// Whom he would act as, as the clinic knows her at this moment.
#[derive(Clone, Copy, Debug)]
pub struct SubjectFacts {
    /// Her account.
    pub account: AccountId,
    /// Her clinic.
    pub tenant: TenantId,
    /// Whether membership, account and clinic are active.
    pub is_active: bool,
    /// Whether each of her roles is one that may be acted as, and there is one.
    pub may_be_acted_as: bool,
    /// Whether the actor's roles are lent any key of hers under the preset.
    pub lends_anything: bool,
    /// What her clinic allows.
    pub rule: Rule,
}

/// Why not. The log hears it, the caller does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// He acts as someone already (IMP-02).
    Chain,
    /// No role of his is for this.
    NotSupport,
    /// His membership or account is not active.
    ActorInactive,
    /// His session is over, or not the one it started in.
    ActorSessionOver,
    /// No second factor was proved lately enough.
    FactorTooOld,
    /// The clinic forbids it.
    Forbidden,
    /// Himself.
    Himself,
    /// The platform's own staff.
    PlatformStaff,
    /// Who has a role that may not be acted as.
    TooStrong,
    /// Her membership, account or clinic is not active.
    SubjectInactive,
    /// Nothing of hers is lent under that preset.
    NothingLent,
    /// Not the state for it, or too late.
    WrongState,
    /// He asked as often as he may for now.
    AskedTooOften,
}

impl Denial {
    /// As it stands in the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::NotSupport => "not_support",
            Self::ActorInactive => "actor_inactive",
            Self::ActorSessionOver => "actor_session_over",
            Self::FactorTooOld => "factor_too_old",
            Self::Forbidden => "forbidden",
            Self::Himself => "himself",
            Self::PlatformStaff => "platform_staff",
            Self::TooStrong => "too_strong",
            Self::SubjectInactive => "subject_inactive",
            Self::NothingLent => "nothing_lent",
            Self::WrongState => "wrong_state",
            Self::AskedTooOften => "asked_too_often",
        }
    }

    /// Whether it is about whom he would act as (`invalid_target` at the exchange).
    pub const fn is_of_the_target(self) -> bool {
        matches!(
            self,
            Self::Himself
                | Self::PlatformStaff
                | Self::TooStrong
                | Self::SubjectInactive
                | Self::NothingLent
        )
    }
}

/// Whether he may act as her at all: holds at the request, at the start and at each token.
///
/// # Errors
/// The first [`Denial`] that applies.
pub fn may_act(actor: &ActorFacts, subject: &SubjectFacts) -> Result<(), Denial> {
    let denials = [
        (actor.is_acting, Denial::Chain),
        (!actor.is_active, Denial::ActorInactive),
        (!actor.session_is_live, Denial::ActorSessionOver),
        (!actor.is_lent, Denial::NotSupport),
        (subject.tenant == TenantId::PLATFORM, Denial::PlatformStaff),
        (actor.account == subject.account, Denial::Himself),
        (subject.rule == Rule::Forbidden, Denial::Forbidden),
        (!subject.is_active, Denial::SubjectInactive),
        (!subject.may_be_acted_as, Denial::TooStrong),
        (!subject.lends_anything, Denial::NothingLent),
    ];
    match denials.into_iter().find(|(applies, _)| *applies) {
        Some((_, denial)) => Err(denial),
        None => Ok(()),
    }
}

/// Whether an approved grant may start now.
///
/// # Errors
/// As [`may_act`]; [`Denial::FactorTooOld`] without a second factor proved within five minutes.
pub fn may_start(
    grant: &Grant,
    actor: &ActorFacts,
    subject: &SubjectFacts,
    now: OffsetDateTime,
) -> Result<(), Denial> {
    may_act(actor, subject)?;
    meets(grant, subject)?;
    if grant.state != State::Approved || grant.start_by <= now {
        return Err(Denial::WrongState);
    }
    let is_fresh = actor
        .factor_proved_at
        .is_some_and(|at| at <= now && now < at + FACTOR_WITHIN);
    if is_fresh {
        Ok(())
    } else {
        Err(Denial::FactorTooOld)
    }
}

/// Until when a token may be given now: no longer than the grant, the actor's session and five
/// minutes (IMP-09).
///
/// - `access_token`: what the configuration gives a person's token
/// - `session_ends_at`: the earlier of the actor's clocks
///
/// # Errors
/// As [`may_act`]; [`Denial::WrongState`] if the grant is not active,
/// [`Denial::ActorSessionOver`] if this is not the session it started in.
pub fn token_ends_at(
    grant: &Grant,
    (actor, session_ends_at): (&ActorFacts, OffsetDateTime),
    subject: &SubjectFacts,
    (now, access_token): (OffsetDateTime, time::Duration),
) -> Result<OffsetDateTime, Denial> {
    may_act(actor, subject)?;
    meets(grant, subject)?;
    let ends_at = grant
        .ends_at
        .filter(|ends_at| grant.state == State::Active && now < *ends_at)
        .ok_or(Denial::WrongState)?;
    if grant.actor_session != Some(actor.session) {
        return Err(Denial::ActorSessionOver);
    }
    Ok((now + access_token.min(TOKEN_LIFE))
        .min(ends_at)
        .min(session_ends_at))
}

/// Whether somebody of the clinic may say yes: the person herself, or an administrator who is
/// neither she nor the actor under another hat.
///
/// # Errors
/// [`Denial::WrongState`] if it waits for no yes or for another's; [`Denial::Himself`].
pub fn may_approve(
    grant: &Grant,
    approver: AccountId,
    is_subject: bool,
    now: OffsetDateTime,
) -> Result<(), Denial> {
    let asks = if is_subject {
        Rule::ConsentOfUser
    } else {
        Rule::ApprovalByAdmin
    };
    if grant.state != State::Requested || grant.start_by <= now || grant.rule != asks {
        Err(Denial::WrongState)
    } else if approver == grant.actor_account || is_subject != (approver == grant.account) {
        Err(Denial::Himself)
    } else {
        Ok(())
    }
}

/// Whether what was met is what the clinic asks for now.
fn meets(grant: &Grant, subject: &SubjectFacts) -> Result<(), Denial> {
    if subject.rule == Rule::Allowed || subject.rule == grant.rule {
        Ok(())
    } else {
        Err(Denial::Forbidden)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use uuid::Uuid;

    use super::*;
    use crate::ids::{ImpersonationId, SubjectId};
    use crate::impersonation::model::Preset;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn actor() -> ActorFacts {
        ActorFacts {
            account: AccountId::from_uuid(Uuid::from_u128(1)),
            is_active: true,
            is_lent: true,
            is_acting: false,
            session: SessionId::from_uuid(Uuid::from_u128(2)),
            session_is_live: true,
            factor_proved_at: Some(NOW),
        }
    }

    fn subject() -> SubjectFacts {
        SubjectFacts {
            account: AccountId::from_uuid(Uuid::from_u128(3)),
            tenant: TenantId::from_uuid(Uuid::from_u128(4)),
            is_active: true,
            may_be_acted_as: true,
            lends_anything: true,
            rule: Rule::Allowed,
        }
    }

    fn grant(state: State) -> Grant {
        Grant {
            id: ImpersonationId::from_uuid(Uuid::from_u128(5)),
            tenant: subject().tenant,
            subject: SubjectId::from_uuid(Uuid::from_u128(6)),
            account: subject().account,
            actor: SubjectId::from_uuid(Uuid::from_u128(7)),
            actor_account: actor().account,
            actor_name: "Sam".into(),
            reason: "a reason that is long enough".into(),
            ticket: "1".into(),
            preset: Preset::ReadOnly,
            minutes: 10,
            rule: Rule::Allowed,
            state,
            requested_at: NOW,
            start_by: NOW + Duration::hours(24),
            started_at: Some(NOW),
            ends_at: Some(NOW + Duration::minutes(10)),
            actor_session: Some(actor().session),
            ended_at: None,
            end_cause: None,
        }
    }

    /// IMP-01, IMP-02: each fact alone is enough for a no, at every step.
    #[test]
    fn each_fact_alone_denies() {
        type Change = fn(&mut ActorFacts, &mut SubjectFacts);
        let table: [(Change, Denial); 10] = [
            (|a, _| a.is_acting = true, Denial::Chain),
            (|a, _| a.is_active = false, Denial::ActorInactive),
            (|a, _| a.session_is_live = false, Denial::ActorSessionOver),
            (|a, _| a.is_lent = false, Denial::NotSupport),
            (|_, s| s.tenant = TenantId::PLATFORM, Denial::PlatformStaff),
            (|a, s| s.account = a.account, Denial::Himself),
            (|_, s| s.rule = Rule::Forbidden, Denial::Forbidden),
            (|_, s| s.is_active = false, Denial::SubjectInactive),
            (|_, s| s.may_be_acted_as = false, Denial::TooStrong),
            (|_, s| s.lends_anything = false, Denial::NothingLent),
        ];
        assert_eq!(may_act(&actor(), &subject()), Ok(()));
        for (change, denial) in table {
            let (mut a, mut s) = (actor(), subject());
            change(&mut a, &mut s);
            assert_eq!(may_act(&a, &s), Err(denial));
            let approved = grant(State::Approved);
            assert_eq!(may_start(&approved, &a, &s, NOW), Err(denial));
            let (active, life) = (grant(State::Active), (NOW, Duration::minutes(5)));
            let token = token_ends_at(&active, (&a, NOW + Duration::HOUR), &s, life);
            assert_eq!(token, Err(denial));
        }
    }

    #[test]
    fn a_start_asks_for_a_yes_and_a_fresh_factor() {
        let at = |state, seconds, rule| {
            let (mut grant, mut subject) = (grant(state), subject());
            subject.rule = rule;
            grant.rule = Rule::ConsentOfUser;
            may_start(&grant, &actor(), &subject, NOW + Duration::seconds(seconds))
        };
        let asks = Rule::ConsentOfUser;
        assert_eq!(at(State::Approved, 0, asks), Ok(()));
        assert_eq!(at(State::Approved, 299, asks), Ok(()));
        assert_eq!(at(State::Approved, 300, asks), Err(Denial::FactorTooOld));
        assert_eq!(at(State::Approved, 86_400, asks), Err(Denial::WrongState));
        assert_eq!(at(State::Approved, 0, Rule::Allowed), Ok(()));
        let other = at(State::Approved, 0, Rule::ApprovalByAdmin);
        assert_eq!(other, Err(Denial::Forbidden), "another yes was given");
        for state in State::ALL.iter().filter(|s| **s != State::Approved) {
            assert_eq!(at(*state, 0, asks), Err(Denial::WrongState), "{state:?}");
        }
        let never = ActorFacts {
            factor_proved_at: None,
            ..actor()
        };
        let grant = grant(State::Approved);
        let denied = may_start(&grant, &never, &subject(), NOW);
        assert_eq!(denied, Err(Denial::FactorTooOld));
    }

    /// IMP-12: nobody says yes in another's place, and nobody to himself.
    #[test]
    fn a_yes_is_the_right_persons() {
        let (hers, his) = (subject().account, actor().account);
        let third = AccountId::from_uuid(Uuid::from_u128(9));
        let asked = |rule, approver, is_subject| {
            let mut grant = grant(State::Requested);
            grant.rule = rule;
            may_approve(&grant, approver, is_subject, NOW)
        };
        assert_eq!(asked(Rule::ConsentOfUser, hers, true), Ok(()));
        assert_eq!(asked(Rule::ApprovalByAdmin, third, false), Ok(()));
        for (rule, approver, is_subject, denial) in [
            (Rule::ConsentOfUser, third, false, Denial::WrongState),
            (Rule::ApprovalByAdmin, hers, true, Denial::WrongState),
            (Rule::ApprovalByAdmin, hers, false, Denial::Himself),
            (Rule::ApprovalByAdmin, his, false, Denial::Himself),
            (Rule::ConsentOfUser, third, true, Denial::Himself),
        ] {
            assert_eq!(asked(rule, approver, is_subject), Err(denial), "{rule:?}");
        }
        for state in State::ALL.iter().filter(|s| **s != State::Requested) {
            let denied = may_approve(&grant(*state), third, false, NOW);
            assert_eq!(denied, Err(Denial::WrongState), "{state:?}");
        }
    }

    /// IMP-09: the shortest of four.
    #[test]
    fn a_token_ends_with_whatever_ends_first() {
        let ends = |seconds, session_ends: i64, life: i64| {
            let now = NOW + Duration::seconds(seconds);
            let session_ends_at = NOW + Duration::seconds(session_ends);
            let life = (now, Duration::seconds(life));
            token_ends_at(
                &grant(State::Active),
                (&actor(), session_ends_at),
                &subject(),
                life,
            )
            .map(|at| (at - NOW).whole_seconds())
        };
        assert_eq!(ends(0, 9000, 9000), Ok(300), "five minutes");
        assert_eq!(ends(0, 9000, 60), Ok(60), "the configuration");
        assert_eq!(ends(590, 9000, 300), Ok(600), "the grant");
        assert_eq!(ends(0, 20, 300), Ok(20), "the actor's session");
        assert_eq!(ends(600, 9000, 300), Err(Denial::WrongState), "over");
        let elsewhere = ActorFacts {
            session: SessionId::from_uuid(Uuid::from_u128(8)),
            ..actor()
        };
        let life = (NOW, Duration::minutes(5));
        let denied = token_ends_at(&grant(State::Active), (&elsewhere, NOW), &subject(), life);
        assert_eq!(denied, Err(Denial::ActorSessionOver));
    }
}
