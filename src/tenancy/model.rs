//! Clinics as values.

use std::fmt;

use time::OffsetDateTime;

use crate::ids::TenantId;

/// Host labels that are not a clinic's: ours, or what people believe to be ours.
const RESERVED: [&str; 16] = [
    "account",
    "accounts",
    "admin",
    "api",
    "app",
    "auth",
    "clinician",
    "console",
    "id",
    "issuer",
    "login",
    "mail",
    "patient",
    "platform",
    "status",
    "www",
];

/// A clinic's short name: the first label of its host, 3 to 40 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    /// The reserved tenant's.
    pub fn platform() -> Self {
        Self("platform".to_owned())
    }

    /// Parses one that a clinic may have.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let bytes = text.as_bytes();
        let is_label = (3..=40).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
            && bytes[0].is_ascii_lowercase()
            && bytes[bytes.len() - 1] != b'-'
            // `xn--…` would be shown as other letters than it is stored in (RFC 5890 §2.3.1).
            && !text.contains("--");
        if !is_label {
            return Err(
                "a slug is 3 to 40 lower-case letters, digits and single hyphens, and \
                        begins with a letter",
            );
        }
        if RESERVED.contains(&text) {
            return Err("this slug is reserved: it would pass for one of our own hosts");
        }
        Ok(Self(text.to_owned()))
    }

    /// As in the host name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What people read: 1 to 120 characters, none of them a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantName(String);

impl TenantName {
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

/// Whether a clinic is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantStatus {
    /// Yes.
    Active,
    /// No sign-in and no token, nothing deleted.
    Suspended,
}

impl TenantStatus {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// A clinic as stored.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id: the `tid` of tokens.
    pub id: TenantId,
    /// Its host label.
    pub slug: String,
    /// For people.
    pub name: String,
    /// Its color's name.
    pub accent: String,
    /// Whether it is served.
    pub status: TenantStatus,
    /// Since when.
    pub created_at: OffsetDateTime,
}

/// A clinic to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its host label.
    pub slug: Slug,
    /// For people.
    pub name: TenantName,
    /// One of the palette's names (`pages::Accent`).
    pub accent: &'static str,
}
