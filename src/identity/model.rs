//! Accounts and memberships as values.

use std::fmt;

use time::OffsetDateTime;
use unicode_normalization::UnicodeNormalization as _;

use crate::ids::{AccountId, SubjectId, TenantId};

/// What a person types to say who they are, normalized: NFC, trimmed, lower case, 3 to 254
/// characters without spaces.
///
/// Its `Debug` says nothing: what people type here may be a password in the wrong field.
#[derive(Clone, PartialEq, Eq)]
pub struct Login(String);

impl Login {
    /// Parses what was typed; `None` if nobody can have it.
    pub fn parse(typed: &str) -> Option<Self> {
        // Bounded before it is looked at: normalization may lengthen, never without end.
        if typed.len() > 1024 {
            return None;
        }
        let normalized: String = typed
            .trim()
            .nfc()
            .collect::<String>()
            .to_lowercase()
            .nfc()
            .collect();
        let fits = (3..=254).contains(&normalized.chars().count())
            && !normalized
                .chars()
                .any(|c| c.is_whitespace() || c.is_control());
        fits.then_some(Self(normalized))
    }

    /// As stored and looked up.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(***)")
    }
}

/// What people read: 1 to 120 characters, none of them a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName(String);

impl AccountName {
    /// Parses it; `None` if it is no name.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=120).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A human to be known to the platform.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// What they will type.
    pub login: Login,
    /// What they are called.
    pub name: AccountName,
}

/// A membership to be made: its roles are names of the catalog.
#[derive(Clone, Debug)]
pub struct NewMembership {
    /// Of which clinic.
    pub tenant: TenantId,
    /// Of whom.
    pub account: AccountId,
    /// What the clinic calls them.
    pub name: AccountName,
    /// At least one; platform roles in the platform tenant alone.
    pub roles: Vec<String>,
}

/// A role of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whether it is for the platform's staff.
    pub is_platform: bool,
}

/// An account as stored.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id; never leaves the identity plane.
    pub id: AccountId,
    /// What they are called.
    pub name: String,
    /// Whether they may sign in.
    pub is_active: bool,
    /// Rises with each change of password.
    pub password_epoch: i32,
    /// Since when.
    pub created_at: OffsetDateTime,
}

/// What making an account ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountOutcome {
    /// Its id.
    Created(AccountId),
    /// Somebody has that login.
    LoginTaken,
}

/// What making an account that joins a tenant at once ended in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrollOutcome {
    /// Both are made.
    Enrolled(AccountId, SubjectId),
    /// Somebody has that login; nothing is made.
    LoginTaken,
    /// The membership was refused; nothing is made.
    NotAMember(MembershipOutcome),
}

/// What making a membership ended in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembershipOutcome {
    /// The subject: the `sub` of tokens.
    Created(SubjectId),
    /// They are a member already.
    AlreadyMember,
    /// The catalog has no such role, or not for this tenant.
    NoSuchRole {
        /// The name given.
        given: String,
        /// What could have been given.
        known: Vec<String>,
    },
    /// No role was named.
    NoRole,
}

/// Whether these roles may be held in this tenant.
pub(crate) fn check_roles(
    tenant: TenantId,
    roles: &[String],
    catalog: &[Role],
) -> Result<(), MembershipOutcome> {
    if roles.is_empty() {
        return Err(MembershipOutcome::NoRole);
    }
    let is_platform = tenant == TenantId::PLATFORM;
    let possible = || {
        catalog
            .iter()
            .filter(|role| role.is_platform == is_platform)
    };
    match roles
        .iter()
        .find(|given| !possible().any(|role| role.name == **given))
    {
        None => Ok(()),
        Some(given) => Err(MembershipOutcome::NoSuchRole {
            given: given.clone(),
            known: possible().map(|role| role.name.clone()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_the_same_however_it_is_typed() {
        let plain = Login::parse("josé@example.com").unwrap();
        for typed in ["  José@Example.COM ", "jose\u{301}@example.com"] {
            assert_eq!(Login::parse(typed).unwrap().as_str(), plain.as_str());
        }
        for nobody in [
            "",
            "ab",
            "a b@example.com",
            "a\u{0}b@example.com",
            &"x".repeat(255),
        ] {
            assert!(Login::parse(nobody).is_none(), "{nobody:?}");
        }
        assert_eq!(format!("{plain:?}"), "Login(***)");
    }

    #[test]
    fn platform_roles_are_for_the_platform_tenant_alone() {
        let role = |name: &str, is_platform| Role {
            name: name.to_owned(),
            is_platform,
        };
        let catalog = [role("patient", false), role("super_admin", true)];
        let asks = |tenant, roles: &[&str]| {
            let roles: Vec<String> = roles.iter().map(|&r| r.to_owned()).collect();
            check_roles(tenant, &roles, &catalog)
        };
        let clinic = TenantId::from_uuid(uuid::Uuid::from_u128(7));
        assert_eq!(asks(clinic, &["patient"]), Ok(()));
        assert_eq!(asks(TenantId::PLATFORM, &["super_admin"]), Ok(()));
        assert!(asks(clinic, &["super_admin"]).is_err());
        assert!(asks(TenantId::PLATFORM, &["patient"]).is_err());
        assert_eq!(asks(clinic, &[]), Err(MembershipOutcome::NoRole));
    }
}
