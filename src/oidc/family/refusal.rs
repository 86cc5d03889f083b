//! Why a refresh is refused: in private all of it, in public one word.

use super::model::EndReason;

/// Why not. The person at the other end learns one word ([`RefreshRefusal::wire`]); the log and
/// the audit event learn this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshRefusal {
    /// Not in our format, no such family or generation, or its secret does not match.
    Unknown,
    /// Another client showed it (RFC 6749 §10.4). The family is unharmed.
    OtherClient,
    /// The request did not prove the key that the token is bound to. The family is unharmed.
    OtherKey,
    /// The family was over already.
    FamilyEnded(EndReason),
    /// The family reached its absolute end.
    AbsoluteEndReached,
    /// The tenant is suspended.
    TenantNotActive,
    /// The account is disabled.
    AccountNotActive,
    /// The account is no active member of the tenant.
    MembershipNotActive,
    /// A second factor is asked of the member by now, and the session has proved none: an
    /// authorization asks for it.
    FactorMissing,
    /// The password was changed since the session last proved it.
    PasswordChanged,
    /// The session was ended.
    SessionEnded,
    /// Nobody did anything for too long.
    SessionIdle,
    /// The session reached its absolute end.
    SessionAbsoluteEndReached,
    /// The scope asked for is wider than what was granted.
    ScopeNotGranted,
    /// The resource asked for is not what was granted (RFC 8707 §2.2).
    ResourceNotGranted,
    /// The successor is still owed, but its sealed copy can't be opened: the server's key for it
    /// is gone, or the copy was tampered with.
    SuccessorUnreadable,
    /// 2³² rotations. Sign in again.
    GenerationsExhausted,
}

/// The public half of a refusal: a word of RFC 6749 §5.2 or RFC 8707 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalWord {
    /// `invalid_grant`
    InvalidGrant,
    /// `invalid_scope`
    InvalidScope,
    /// `invalid_target` (RFC 8707 §2)
    InvalidTarget,
}

impl RefreshRefusal {
    /// What the caller hears. Only a caller with a good token, its own, hears anything else than
    /// `invalid_grant`.
    pub const fn wire(self) -> RefusalWord {
        match self {
            Self::ScopeNotGranted => RefusalWord::InvalidScope,
            Self::ResourceNotGranted => RefusalWord::InvalidTarget,
            Self::Unknown
            | Self::OtherClient
            | Self::OtherKey
            | Self::FamilyEnded(_)
            | Self::AbsoluteEndReached
            | Self::TenantNotActive
            | Self::AccountNotActive
            | Self::MembershipNotActive
            | Self::FactorMissing
            | Self::PasswordChanged
            | Self::SessionEnded
            | Self::SessionIdle
            | Self::SessionAbsoluteEndReached
            | Self::SuccessorUnreadable
            | Self::GenerationsExhausted => RefusalWord::InvalidGrant,
        }
    }

    /// As it stands in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::OtherClient => "other_client",
            Self::OtherKey => "other_key",
            Self::FamilyEnded(_) => "family_ended",
            Self::AbsoluteEndReached => "absolute_end",
            Self::TenantNotActive => "tenant_not_active",
            Self::AccountNotActive => "account_not_active",
            Self::MembershipNotActive => "membership_not_active",
            Self::FactorMissing => "factor_missing",
            Self::PasswordChanged => "password_changed",
            Self::SessionEnded => "session_ended",
            Self::SessionIdle => "session_idle",
            Self::SessionAbsoluteEndReached => "session_absolute_end",
            Self::ScopeNotGranted => "scope_not_granted",
            Self::ResourceNotGranted => "resource_not_granted",
            Self::SuccessorUnreadable => "successor_unreadable",
            Self::GenerationsExhausted => "generations_exhausted",
        }
    }
}
