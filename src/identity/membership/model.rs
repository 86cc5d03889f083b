//! What is read of a membership.

use crate::ids::{SubjectId, TenantId};

/// What the identity plane may know of a clinic.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Clinic {
    /// Which.
    pub tenant_id: TenantId,
    /// In its addresses: `juniper`.
    pub slug: String,
    /// As it calls itself.
    pub name: String,
    /// One of the palette of pages.
    pub accent: String,
    /// Whether its people may sign in.
    pub is_active: bool,
}

/// One of a person's own memberships, before a clinic is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The clinic.
    pub clinic: Clinic,
    /// Who she is there.
    pub subject: SubjectId,
    /// Her roles there.
    pub roles: Vec<String>,
    /// Whether one of them, or the clinic, asks for a second factor.
    pub requires_factor: bool,
}

impl Membership {
    /// Whether she works there: whoever is more than a patient does.
    pub fn is_staff(&self) -> bool {
        self.roles.iter().any(|role| role != "patient")
    }
}

/// A member within one tenant, with all that a token is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub subject: SubjectId,
    /// As the clinic calls her.
    pub display_name: String,
    /// Her address, for the `email` scope.
    pub login: String,
    /// Her roles.
    pub roles: Vec<String>,
    /// The scopes that her roles' permissions lie in.
    pub scopes: Vec<String>,
    /// Membership, account and clinic are all active.
    pub is_active: bool,
}
