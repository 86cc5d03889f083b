//! What erasing a person comes to.

use crate::identity::factor::Inventory;
use crate::ids::{AccountId, SubjectId, TenantId};

/// What of a person there was to erase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The account, which is nobody's from now on.
    pub account: AccountId,
    /// Clinics that she was a member of, also long ago.
    pub memberships: usize,
    /// Her second factors.
    pub factors: Inventory,
    /// Sessions that lived.
    pub sessions: i64,
    /// Mail to her, sent or not.
    pub messages: i64,
    /// Values of the logs that were hers.
    pub disclosures: i64,
}

/// What asking for it ended in. Only [`Self::Erased`] changed anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EraseOutcome {
    /// It is done.
    Erased(Erased),
    /// It was done before.
    Already(AccountId),
    /// Nobody has that login.
    Unknown,
    /// Nobody else administers the clinics with these slugs, which are served.
    LastAdministrator(Vec<String>),
}

/// A membership of hers, whatever became of it.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(super) struct Held {
    pub(super) tenant_id: TenantId,
    pub(super) subject_id: SubjectId,
    /// Whether she administers it, and nobody else does.
    pub(super) is_last_administrator: bool,
}

/// What an erased account is called where a login stands.
pub(super) fn pseudonym(account: AccountId) -> String {
    format!("erased-{account}")
}
