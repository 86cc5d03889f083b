//! Identifiers that a token carries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an identifier that is already known to be of this kind.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The bare identifier, for a database bind.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                canonical(text).map(Self).ok_or(NotAnId)
            }
        }
    };
}

identifier! {
    /// A clinic (`tid`): whose data a request may touch. A UUID, written in lower case with
    /// hyphens.
    TenantId
}

identifier! {
    /// One person's membership in one clinic (`sub`), or a client's service subject.
    ///
    /// The same person has another subject in every other clinic (design §2). A UUID, written in
    /// lower case with hyphens.
    SubjectId
}

identifier! {
    /// One grant of impersonation: who may act as whom, why, and until when (design §7). A UUID,
    /// written in lower case with hyphens.
    GrantId
}

identifier! {
    /// One delegation: who may act for which patient, on what legal basis, and until when. A UUID,
    /// written in lower case with hyphens.
    DelegationId
}

/// A text is not a UUID in its one canonical form: 36 characters, lower case, with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID in lower case with hyphens")]
pub struct NotAnId;

/// One spelling per identifier: the other forms of RFC 9562's text (braces, URN, upper case) would
/// make two different strings compare equal after parsing.
fn canonical(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (id.hyphenated().encode_lower(&mut buffer) == text).then_some(id)
}
