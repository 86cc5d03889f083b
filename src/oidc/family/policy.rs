//! What a presented refresh token brings: the nine rules of design §5, pure and total.
//!
//! [`decide`] reads facts and answers with a permit that carries the family as it must be
//! afterward. The store writes what the permit says and asks nothing more, so what is tested here
//! is what happens.

use time::{Duration, OffsetDateTime};

use super::model::{
    ClientKind, EndReason, Ended, Family, FamilyFacts, LockStep, Presentation, Redemption,
    ReuseCause, SessionClocks, Standing,
};
use super::refusal::RefreshRefusal;

/// How long after its redemption a client that proves nothing may have the same successor again.
/// Design §5 rule 5.
pub const PUBLIC_RETRY_WINDOW: Duration = Duration::seconds(60);

/// So many generations in a row, each given out to two places apart, end a family.
/// Design §5 rule 7.
pub const LOCKSTEP_LIMIT: u8 = 3;

/// What a presentation brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The token is claimed and a new successor takes its place.
    Rotate(RotatePermit),
    /// The answer was lost: the same successor once more.
    Retry(RetryPermit),
    /// The FAPI 2.0 profile: a new access token, the same refresh token.
    Reissue(ReissuePermit),
    /// A spent token came back: the family ends. Publicly `invalid_grant`.
    Reuse(ReusePermit),
    /// No, and nothing changes.
    Refused(RefreshRefusal),
}

impl Decision {
    /// For operators.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Rotate(_) => "rotated",
            Self::Retry(_) => "retried",
            Self::Reissue(_) => "reissued",
            Self::Reuse(_) => "reused",
            Self::Refused(_) => "refused",
        }
    }
}

/// Proof that [`decide`] allowed a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotatePermit {
    after: Family,
    access_ends_at: OffsetDateTime,
    sealed_until: OffsetDateTime,
}

impl RotatePermit {
    /// The family as it must be written; its `current` is the successor's generation.
    pub const fn after(&self) -> &Family {
        &self.after
    }

    /// When the access token to be minted ends.
    pub const fn access_ends_at(&self) -> OffsetDateTime {
        self.access_ends_at
    }

    /// The sealed copy of the successor must be gone from this instant on. That of the presented
    /// generation goes at once: it may no longer be given.
    pub const fn sealed_until(&self) -> OffsetDateTime {
        self.sealed_until
    }
}

/// Proof that [`decide`] allowed the current generation to be given out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPermit {
    after: Family,
    access_ends_at: OffsetDateTime,
}

impl RetryPermit {
    /// The family as it must be written: no clock of it has moved.
    pub const fn after(&self) -> &Family {
        &self.after
    }

    /// When the access token to be minted ends: with the first one, even if that is past.
    pub const fn access_ends_at(&self) -> OffsetDateTime {
        self.access_ends_at
    }
}

/// Proof that [`decide`] allowed an access token without a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReissuePermit {
    after: Family,
    access_ends_at: OffsetDateTime,
}

impl ReissuePermit {
    /// The family as it must be written: its current generation counts as used.
    pub const fn after(&self) -> &Family {
        &self.after
    }

    /// When the access token to be minted ends.
    pub const fn access_ends_at(&self) -> OffsetDateTime {
        self.access_ends_at
    }
}

/// Proof that [`decide`] saw a replay. Every sealed copy of the family goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReusePermit {
    after: Family,
    cause: ReuseCause,
}

impl ReusePermit {
    /// The family as it must be written: ended.
    pub const fn after(&self) -> &Family {
        &self.after
    }

    /// Which replay it was, for the audit log.
    pub const fn cause(&self) -> ReuseCause {
        self.cause
    }
}

/// Decides what a presentation brings, at `now`.
///
/// In this order, each step's facts known to hold for the next:
/// 1. whose token it is (rule 1): a stranger's try changes nothing;
/// 2. whether the family lives: an end is an end;
/// 3. whether the token is spent (rules 5 and 6): a replay ends the family whatever else is true,
///    also when the session is over, since it shows that two hold the token;
/// 4. session, membership, account, tenant, password (rule 5, last sentence, and any issue);
/// 5. for a retry, whether two march in lock-step (rule 7): only what would be given out counts;
/// 6. scope and resource: a wish too wide spends no token, and hides no replay.
///
/// Intervals are half-open: at the very instant of an end it is over.
pub fn decide(facts: &FamilyFacts, shown: &Presentation, now: OffsetDateTime) -> Decision {
    match classify(facts, shown, now) {
        Ok(Use::Current) if facts.client_kind == ClientKind::Fapi2 => reissue(facts, now),
        Ok(Use::Current) => rotate(facts, shown, now),
        Ok(Use::Again(first)) => retry(facts, shown, first),
        Err(No::Reuse(cause)) => reuse(&facts.family, cause, now),
        Err(No::Refused(refusal)) => Decision::Refused(refusal),
    }
}

/// The instant from which on the successor that a redemption at `redeemed_at` brought may not be
/// given again, whatever else happens.
pub fn retry_ends_at(
    family: &Family,
    kind: ClientKind,
    redeemed_at: OffsetDateTime,
) -> OffsetDateTime {
    if family.holder_proves_itself(kind) {
        family.absolute_end_at
    } else {
        family
            .absolute_end_at
            .min(redeemed_at.saturating_add(PUBLIC_RETRY_WINDOW))
    }
}

/// The family ended for a reason other than a replay: logout, revocation, a code's second use.
/// An ended one stays as it was.
pub fn end(family: &Family, reason: EndReason, now: OffsetDateTime) -> Family {
    let ended = family.ended.unwrap_or(Ended {
        ended_at: now,
        reason,
    });
    Family {
        ended: Some(ended),
        ..family.clone()
    }
}

/// What a good token is good for.
enum Use<'a> {
    /// It is the current generation.
    Current,
    /// It is the one before, whose successor nobody has used.
    Again(&'a Redemption),
}

enum No {
    Reuse(ReuseCause),
    Refused(RefreshRefusal),
}

impl From<RefreshRefusal> for No {
    fn from(refusal: RefreshRefusal) -> Self {
        Self::Refused(refusal)
    }
}

fn classify<'a>(
    facts: &'a FamilyFacts,
    shown: &Presentation,
    now: OffsetDateTime,
) -> Result<Use<'a>, No> {
    let family = &facts.family;
    belongs(family, shown)?;
    lives(family, now)?;
    let found = place_in_line(facts, shown, now)?;
    stands(&facts.standing, now)?;
    if let Use::Again(first) = found
        && lockstep_after(facts, shown, first).in_a_row() >= LOCKSTEP_LIMIT
    {
        return Err(No::Reuse(ReuseCause::LockStep));
    }
    if !shown.scope_is_granted {
        return Err(RefreshRefusal::ScopeNotGranted.into());
    }
    if !shown.resource_is_granted {
        return Err(RefreshRefusal::ResourceNotGranted.into());
    }
    Ok(found)
}

fn belongs(family: &Family, shown: &Presentation) -> Result<(), RefreshRefusal> {
    if !shown.is_authentic || shown.generation > family.current {
        return Err(RefreshRefusal::Unknown);
    }
    if shown.client != family.client {
        return Err(RefreshRefusal::OtherClient);
    }
    if family.key_binding.is_some() && family.key_binding != shown.proven_key {
        return Err(RefreshRefusal::OtherKey);
    }
    Ok(())
}

fn lives(family: &Family, now: OffsetDateTime) -> Result<(), RefreshRefusal> {
    if let Some(ended) = family.ended {
        return Err(RefreshRefusal::FamilyEnded(ended.reason));
    }
    if now >= family.absolute_end_at {
        return Err(RefreshRefusal::AbsoluteEndReached);
    }
    Ok(())
}

fn place_in_line<'a>(
    facts: &'a FamilyFacts,
    shown: &Presentation,
    now: OffsetDateTime,
) -> Result<Use<'a>, No> {
    let family = &facts.family;
    if shown.generation == family.current {
        return Ok(Use::Current);
    }
    let Some(first) = family
        .last_redemption
        .as_ref()
        .filter(|_| shown.generation.next() == Some(family.current))
    else {
        return Err(No::Reuse(ReuseCause::OlderGeneration));
    };
    if family.current_is_used {
        return Err(No::Reuse(ReuseCause::SuccessorUsed));
    }
    if now >= retry_ends_at(family, facts.client_kind, first.redeemed_at) {
        return Err(No::Reuse(ReuseCause::WindowPassed));
    }
    Ok(Use::Again(first))
}

fn stands(standing: &Standing, now: OffsetDateTime) -> Result<(), RefreshRefusal> {
    if !standing.tenant_is_active {
        return Err(RefreshRefusal::TenantNotActive);
    }
    if !standing.account_is_active {
        return Err(RefreshRefusal::AccountNotActive);
    }
    if !standing.membership_is_active {
        return Err(RefreshRefusal::MembershipNotActive);
    }
    session_lasts(&standing.session, now)?;
    if standing.lacks_factor {
        return Err(RefreshRefusal::FactorMissing);
    }
    if standing.session_password_epoch != standing.password_epoch {
        return Err(RefreshRefusal::PasswordChanged);
    }
    Ok(())
}

fn session_lasts(session: &SessionClocks, now: OffsetDateTime) -> Result<(), RefreshRefusal> {
    if session.is_ended {
        return Err(RefreshRefusal::SessionEnded);
    }
    if now >= session.absolute_end_at {
        return Err(RefreshRefusal::SessionAbsoluteEndReached);
    }
    if now >= session.idle_end_at {
        return Err(RefreshRefusal::SessionIdle);
    }
    Ok(())
}

fn rotate(facts: &FamilyFacts, shown: &Presentation, now: OffsetDateTime) -> Decision {
    let family = &facts.family;
    let Some(current) = family.current.next() else {
        return Decision::Refused(RefreshRefusal::GenerationsExhausted);
    };
    let access_ends_at = access_ends_at(facts, now);
    let after = Family {
        current,
        current_is_used: false,
        last_redemption: Some(Redemption {
            redeemed_at: now,
            place: shown.place,
            access_ends_at,
        }),
        lockstep: LockStep {
            earlier_in_a_row: family.lockstep.in_a_row(),
            current_is_apart: false,
        },
        ..family.clone()
    };
    let sealed_until = retry_ends_at(family, facts.client_kind, now);
    Decision::Rotate(RotatePermit {
        after,
        access_ends_at,
        sealed_until,
    })
}

fn retry(facts: &FamilyFacts, shown: &Presentation, first: &Redemption) -> Decision {
    let lockstep = lockstep_after(facts, shown, first);
    Decision::Retry(RetryPermit {
        after: Family {
            lockstep,
            ..facts.family.clone()
        },
        access_ends_at: first.access_ends_at,
    })
}

fn reissue(facts: &FamilyFacts, now: OffsetDateTime) -> Decision {
    Decision::Reissue(ReissuePermit {
        after: Family {
            current_is_used: true,
            ..facts.family.clone()
        },
        access_ends_at: access_ends_at(facts, now),
    })
}

fn reuse(family: &Family, cause: ReuseCause, now: OffsetDateTime) -> Decision {
    Decision::Reuse(ReusePermit {
        after: end(family, EndReason::Reuse(cause), now),
        cause,
    })
}

/// An access token never outlives its family's absolute end.
fn access_ends_at(facts: &FamilyFacts, now: OffsetDateTime) -> OffsetDateTime {
    now.saturating_add(facts.access_token_lifetime)
        .min(facts.family.absolute_end_at)
}

/// The count once the current generation has been given out to `shown`'s place as well. Nothing is
/// counted for a client that proves itself: its token alone is of no use to a thief.
fn lockstep_after(facts: &FamilyFacts, shown: &Presentation, first: &Redemption) -> LockStep {
    let family = &facts.family;
    if family.holder_proves_itself(facts.client_kind) {
        return LockStep::default();
    }
    LockStep {
        current_is_apart: family.lockstep.current_is_apart
            || shown.place.is_apart_from(&first.place),
        ..family.lockstep
    }
}

impl LockStep {
    /// Generations in a row, up to and with the current one, that went to two places apart.
    const fn in_a_row(self) -> u8 {
        if self.current_is_apart {
            self.earlier_in_a_row.saturating_add(1)
        } else {
            0
        }
    }
}
