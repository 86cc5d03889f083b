//! A token family as plain facts: what one login of one client in one tenant has come to.
//!
//! No I/O, no decision. What may happen next is asked of [`super::policy::decide`].

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::ids::{AccountId, ClientId, FamilyId, TenantId};

/// How many rotations a family has behind it: 0 for the token that the code bought.
///
/// An integer, never a clock time: two rotations within one second are two generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    /// The generation that a family starts with.
    pub const FIRST: Self = Self(0);

    /// The generation after this one; `None` after 2³²−1 rotations.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a client can do to prove that it is itself, as it is registered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Can keep no secret (RFC 6749 §2.1): whoever holds its token looks like it.
    Public,
    /// Authenticates at the token endpoint with a secret or a key.
    Confidential,
    /// Registered with the FAPI 2.0 profile: authenticates, and its refresh tokens do not rotate
    /// (FAPI 2.0 Security Profile §5.3.2.1).
    Fapi2,
}

/// SHA-256 thumbprint of the key that a family is bound to (RFC 9449 §5, RFC 8705 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyThumbprint(pub [u8; 32]);

/// Where a request came from, as two keyed digests: neither address nor browser can be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Digest of the network (not of the single address).
    pub network_digest: [u8; 32],
    /// Digest of the `User-Agent` header.
    pub user_agent_digest: [u8; 32],
}

impl Place {
    /// Whether the two are surely not one browser: network *and* user agent differ. A phone that
    /// leaves the Wi-Fi keeps its user agent; two tabs keep both.
    pub fn is_apart_from(&self, other: &Self) -> bool {
        self.network_digest != other.network_digest
            && self.user_agent_digest != other.user_agent_digest
    }
}

/// The first redemption of generation n−1, by which generation n came into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redemption {
    /// When n−1 was claimed. A public client's retry window starts here.
    pub redeemed_at: OffsetDateTime,
    /// Where generation n was first given out to.
    pub place: Place,
    /// When the access token given with it ends; a retry's ends at the same instant.
    pub access_ends_at: OffsetDateTime,
}

/// How often a successor went to two places, counted for design §5 rule 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockStep {
    /// Generations directly before the current one that were each given out to two places apart.
    pub earlier_in_a_row: u8,
    /// Whether the current generation was.
    pub current_is_apart: bool,
}

/// Why a family is over. Kept with it for good: an end is never undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// A spent token came back (design §5 rules 6 and 7).
    Reuse(ReuseCause),
    /// The session ended: the person logged out, or ended it from another device.
    SessionEnded,
    /// The client revoked its token (RFC 7009).
    Revoked,
    /// The code that started it was redeemed a second time (RFC 6749 §4.1.2).
    CodeReplayed,
    /// The account's password changed, in another session than this family's.
    PasswordChanged,
    /// Membership, account, client or tenant was closed, or an administrator ended it.
    Administrative,
}

/// Which replay it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReuseCause {
    /// Older than the generation before the current one: its successor was itself redeemed.
    OlderGeneration,
    /// The generation before the current one, after the current one was used without rotating.
    SuccessorUsed,
    /// The generation before the current one, by a client that proves nothing, after its window.
    WindowPassed,
    /// Three generations in a row, each given out to two places apart.
    LockStep,
}

impl EndReason {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Reuse(ReuseCause::OlderGeneration),
        Self::Reuse(ReuseCause::SuccessorUsed),
        Self::Reuse(ReuseCause::WindowPassed),
        Self::Reuse(ReuseCause::LockStep),
        Self::SessionEnded,
        Self::Revoked,
        Self::CodeReplayed,
        Self::PasswordChanged,
        Self::Administrative,
    ];

    /// As it stands in the table and the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reuse(cause) => cause.name(),
            Self::SessionEnded => "session_ended",
            Self::Revoked => "revoked",
            Self::CodeReplayed => "code_replayed",
            Self::PasswordChanged => "password_changed",
            Self::Administrative => "administrative",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl ReuseCause {
    /// As it stands in the table and the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OlderGeneration => "older_generation_replayed",
            Self::SuccessorUsed => "replayed_after_successor_was_used",
            Self::WindowPassed => "replayed_after_window",
            Self::LockStep => "two_places_in_lock_step",
        }
    }
}

/// That and why a family is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When it was committed.
    pub ended_at: OffsetDateTime,
    /// The first reason; later ones do not replace it.
    pub reason: EndReason,
}

/// A token family as its row says.
///
/// Invariants, kept by `policy`:
/// 1. `current` is the only generation that can be rotated: at most one live leaf.
/// 2. `absolute_end_at` is what it was at the start.
/// 3. `last_redemption` is that of generation `current − 1`; `None` at generation 0.
/// 4. `ended`, once set, stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// The tenant that its tokens are for.
    pub tenant: TenantId,
    /// Its id, random.
    pub id: FamilyId,
    /// The person who signed in.
    pub account: AccountId,
    /// The client that it was given to.
    pub client: ClientId,
    /// The key that its tokens are bound to, if any.
    pub key_binding: Option<KeyThumbprint>,
    /// No token of the family is good from this instant on.
    pub absolute_end_at: OffsetDateTime,
    /// The newest generation.
    pub current: Generation,
    /// Whether `current` was redeemed without being rotated (only the FAPI 2.0 profile does so).
    pub current_is_used: bool,
    /// How `current` came into being.
    pub last_redemption: Option<Redemption>,
    /// See design §5 rule 7.
    pub lockstep: LockStep,
    /// `None` while it lives.
    pub ended: Option<Ended>,
}

impl Family {
    /// Whether the holder must prove more than possession of the token: by the client's own
    /// authentication, or by the key that the family is bound to.
    pub fn holder_proves_itself(&self, kind: ClientKind) -> bool {
        match kind {
            ClientKind::Confidential | ClientKind::Fapi2 => true,
            ClientKind::Public => self.key_binding.is_some(),
        }
    }
}

/// What else must hold for a token to be given, as the database says in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that fall one by one, each with its own refusal"
)]
pub struct Standing {
    /// The tenant is open for business.
    pub tenant_is_active: bool,
    /// The account may sign in at all.
    pub account_is_active: bool,
    /// The account is an active member of the tenant.
    pub membership_is_active: bool,
    /// A role of the member or the tenant's own rule asks for a second factor, which the session
    /// neither proved nor was let go on without.
    pub lacks_factor: bool,
    /// Counts the account's password changes: as they are now.
    pub password_epoch: i64,
    /// The same count, as the session last proved the password.
    pub session_password_epoch: i64,
    /// The session that the family hangs on.
    pub session: SessionClocks,
}

/// The facts of a session that bear on its grants (design §4). Policy is already worked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionClocks {
    /// Logged out, or ended from elsewhere.
    pub is_ended: bool,
    /// Nobody did anything for too long, from this instant on.
    pub idle_end_at: OffsetDateTime,
    /// Too long since sign-in, from this instant on.
    pub absolute_end_at: OffsetDateTime,
}

/// All that a decision rests on, besides the request and the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyFacts {
    /// The family's row.
    pub family: Family,
    /// What its client is registered as now.
    pub client_kind: ClientKind,
    /// Whether session, membership, account and tenant still stand.
    pub standing: Standing,
    /// How long a new access token would live.
    pub access_token_lifetime: Duration,
}

/// A refresh token shown at the token endpoint, by a client that has been authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presentation {
    /// Who showed it.
    pub client: ClientId,
    /// The key that the request proved possession of (a `DPoP` proof or a client certificate).
    pub proven_key: Option<KeyThumbprint>,
    /// Which generation it says it is.
    pub generation: Generation,
    /// Whether its secret matches the digest kept for that generation. Nothing that a database
    /// injection could plant does.
    pub is_authentic: bool,
    /// Whether the requested scope is within what was granted (RFC 6749 §6).
    pub scope_is_granted: bool,
    /// Whether the requested resource is the one that was granted (RFC 8707 §2.2).
    pub resource_is_granted: bool,
    /// Where it came from.
    pub place: Place,
}
