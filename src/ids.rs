//! Typed identifiers: one can't be passed where another goes.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Makes a newtype over a random UUID.
macro_rules! uuid_id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id as it stands in the database.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    )+};
}

uuid_id! {
    /// A clinic whose data is isolated.
    TenantId,
    /// A membership: the `sub` of tokens, stable in one tenant, different in every other.
    SubjectId,
    /// One human, once, on the whole platform. Never leaves the identity plane.
    AccountId,
    /// One SSO session of one browser.
    SessionId,
    /// A session as one tenant sees it: the `sid` claim.
    TenantSessionId,
    /// An authorization request under way.
    InteractionId,
    /// An authorization code's public half.
    CodeId,
    /// All refresh tokens that descend from one sign-in of one client.
    FamilyId,
    /// A telehealth encounter.
    VisitId,
    /// A clinician's access in an emergency.
    EmergencyId,
    /// A device that makes time-based codes.
    TotpId,
    /// A grant to act as somebody: the `sid` of its tokens.
    ImpersonationId,
    /// What lets a proxy act for a patient: the `sid` of its tokens.
    DelegationId,
    /// One way of a browser into one app under such a grant.
    HandoverId,
}

impl TenantId {
    /// The reserved tenant of the platform: shared apps, staff, the platform's log.
    pub const PLATFORM: Self = Self(Uuid::from_u128(1));
}

/// A registered client's `client_id`: lower-case letters, digits, `-` and `_`, 3 to 63 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// Parses what a request names; `None` if it can't be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let is_ours = (3..=63).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
            && text.as_bytes()[0].is_ascii_alphanumeric();
        is_ours.then(|| Self(text.to_owned()))
    }

    /// The id as it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
