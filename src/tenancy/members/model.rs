//! What the tenant plane knows of people: what the clinic calls them, and their roles.

use crate::ids::{SubjectId, TenantId};

/// A member, without the account behind her.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct MemberFacts {
    /// Who.
    pub subject_id: SubjectId,
    /// As the clinic calls her.
    pub display_name: String,
    /// `active`, `suspended` or `ended`.
    pub status: String,
    /// Sorted.
    pub roles: Vec<String>,
}

/// The clinic itself.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ClinicFacts {
    /// Which.
    pub tenant_id: TenantId,
    /// In its addresses.
    pub slug: String,
    /// As it calls itself.
    pub name: String,
    /// Its color.
    pub accent: String,
    /// `active` or `suspended`.
    pub status: String,
}
