//! What an app keeps between two requests of a browser.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::ids::TenantId;
pub use crate::pages::App as Kind;
use crate::pages::{Accent, EndReason};

impl Kind {
    /// Its name in rows, digests and cookies, and its row of the lattice of clocks.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Clinician => "clinician",
            Self::Console => "console",
            Self::Platform => "platform",
        }
    }

    /// Its `client_id` at the issuer.
    pub const fn client_id(self) -> &'static str {
        match self {
            Self::Patient => "lanyard-patient",
            Self::Clinician => "lanyard-clinician",
            Self::Console => "lanyard-console",
            Self::Platform => "lanyard-platform",
        }
    }

    /// What it asks for; each person gets what her roles allow of it.
    pub const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Patient | Self::Clinician => &[
                "audit:read",
                "audit:write",
                "delegation:read",
                "delegation:write",
                "profile",
                "profile:read",
                "tenancy:read",
                "tenancy:write",
                "visits:read",
            ],
            Self::Console => &[
                "audit:read",
                "audit:write",
                "delegation:read",
                "delegation:write",
                "impersonation:read",
                "impersonation:write",
                "profile",
                "profile:read",
                "tenancy:read",
                "tenancy:write",
                "visits:read",
            ],
            Self::Platform => &[
                "audit:read",
                "audit:write",
                "impersonation:read",
                "impersonation:write",
                "platform:read",
                "platform:write",
                "profile",
                "profile:read",
            ],
        }
    }

    /// The session's cookie: a name of its own, since cookies ignore ports.
    pub const fn session_cookie(self) -> &'static str {
        match self {
            Self::Patient => "__Host-lanyard_patient",
            Self::Clinician => "__Host-lanyard_clinician",
            Self::Console => "__Host-lanyard_console",
            Self::Platform => "__Host-lanyard_platform",
        }
    }

    /// The cookie that binds a sign-in under way to its browser.
    pub const fn login_cookie(self) -> &'static str {
        match self {
            Self::Patient => "__Host-lanyard_patient_login",
            Self::Clinician => "__Host-lanyard_clinician_login",
            Self::Console => "__Host-lanyard_console_login",
            Self::Platform => "__Host-lanyard_platform_login",
        }
    }
}

/// An id in clear and 32 random bytes: a cookie's value, or a `state`.
pub struct Ticket {
    /// The row it names.
    pub id: Uuid,
    secret: SecretBox<[u8; 32]>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Ticket {
    /// From fresh random bytes.
    pub fn new(id: Uuid, secret: [u8; 32]) -> Self {
        Self {
            id,
            secret: SecretBox::new(Box::new(secret)),
        }
    }

    /// Parses 64 characters of base64url; `None` if they can't be one of ours.
    pub fn parse(value: &str) -> Option<Self> {
        let bytes = zeroize::Zeroizing::new(URL_SAFE_NO_PAD.decode(value).ok()?);
        let (id, secret) = bytes.split_at_checked(16)?;
        Some(Self::new(
            Uuid::from_slice(id).ok()?,
            secret.try_into().ok()?,
        ))
    }

    /// The value as it travels.
    pub fn value(&self) -> SecretString {
        let bytes = [&self.id.as_bytes()[..], self.secret()].concat();
        URL_SAFE_NO_PAD
            .encode(zeroize::Zeroizing::new(bytes))
            .into()
    }

    pub(super) fn secret(&self) -> &[u8] {
        self.secret.expose_secret()
    }
}

/// A clinic as the issuer shows it to anybody (`GET /clinics/{name}`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClinicFacts {
    /// The `tid` of its tokens.
    pub id: Uuid,
    /// Its host label.
    pub slug: String,
    /// For people.
    pub name: String,
    /// Its color's name; one that this build does not know is none.
    pub accent: String,
}

/// The slug of the tenant of the platform's own staff: no host has it.
pub(super) const PLATFORM: &str = "platform";

impl ClinicFacts {
    /// The platform's own tenant, which is no clinic and has no address: its staff sign in at an
    /// app's own host.
    pub fn platform() -> Self {
        Self {
            id: TenantId::PLATFORM.as_uuid(),
            slug: PLATFORM.to_owned(),
            name: "Platform".to_owned(),
            accent: "slate".to_owned(),
        }
    }

    /// The label of its hosts, if it has any.
    pub fn label(&self) -> Option<&str> {
        (self.slug != PLATFORM).then_some(self.slug.as_str())
    }

    /// For the frame of a page.
    pub fn shown(&self) -> crate::pages::Clinic {
        let accent: Accent = self.accent.parse().unwrap_or_default();
        crate::pages::Clinic {
            name: self.name.clone(),
            accent,
        }
    }
}

/// A sign-in under way: what its callback needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingLogin {
    /// Repeated by the ID token.
    pub nonce: String,
    /// Proves at the token endpoint that it was us who asked (RFC 7636).
    pub pkce_verifier: String,
    /// The `redirect_uri`, which the token endpoint compares.
    pub redirect_uri: String,
    /// Whether the issuer was asked to show no page.
    pub is_silent: bool,
    /// The digest of what she typed before, which is sent when she comes back: that, and nothing
    /// that another page of hers kept meanwhile in its place.
    #[serde(default)]
    pub sends: Option<String>,
    /// Whether somebody told the app to begin it, and for whom (OIDC Core §4): then alone may it
    /// end in a session in which somebody acts as her.
    #[serde(default)]
    pub is_initiated: bool,
    /// The session under `act` that it renews, if it does: then it ends in that one or in none.
    #[serde(default)]
    pub renews: Option<Renewed>,
}

impl PendingLogin {
    /// The page to go to afterwards.
    pub fn back(&self) -> &str {
        self.renews.as_ref().map_or("/", |renews| &renews.back)
    }

    /// Whether she goes to the issuer for this draft.
    pub fn is_for(&self, draft: &str) -> bool {
        self.sends.as_deref() == Some(&digest(draft))
    }
}

/// As [`PendingLogin::sends`] has it: SHA-256, base64url.
pub fn digest(draft: &str) -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(
        &ring::digest::SHA256,
        draft.as_bytes(),
    ))
}

/// A session under `act` whose token is to be renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// As whom.
    pub subject: String,
    /// By which grant.
    pub grant: Uuid,
    /// The page that was asked for: a path of ours.
    pub back: String,
}

/// Support acts as the person in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acting {
    /// Who: a `sub` of the platform's tenant.
    pub actor: Uuid,
    /// What he is called.
    pub actor_name: Option<String>,
    /// By which grant.
    pub grant: Uuid,
    /// How much is lent: its word.
    pub preset: String,
}

/// What the issuer gave us, and whose it is. Kept as ciphertext.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    /// For the API.
    pub access_token: String,
    /// When it ends, unix seconds.
    pub access_ends_at: i64,
    /// For the next one.
    pub refresh_token: Option<String>,
    /// The hint at logout.
    pub id_token: String,
    /// The `sub`: no refresh may change it.
    pub subject: String,
    /// Her clinic.
    pub clinic: ClinicFacts,
    /// Her name there.
    pub name: Option<String>,
    /// Who acts as her, if somebody does; then there is no refresh token.
    #[serde(default)]
    pub acting: Option<Acting>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// When the session ends, as far as this app knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When the issuer said so.
    pub told_at: OffsetDateTime,
    /// When it ends if nobody does anything, as the issuer said.
    pub idle_ends_at: OffsetDateTime,
    /// When it ends whatever anybody does.
    pub session_ends_at: OffsetDateTime,
    /// The whole idle limit.
    pub idle_limit: Duration,
}

/// A session of one app.
#[derive(Clone, Debug)]
pub struct AppSession {
    /// Which.
    pub id: Uuid,
    /// Of which write.
    pub version: i32,
    /// The issuer's gifts.
    pub tokens: Tokens,
    /// The clocks.
    pub told: Told,
    /// When a person last did something here.
    pub active_at: OffsetDateTime,
    /// What she typed and could not send yet.
    pub draft: Option<String>,
}

/// A row as it is read: whose secret is right, but which may have ended.
#[derive(Debug)]
pub enum Found {
    /// It goes on.
    Live(Box<AppSession>),
    /// It is over.
    Ended(EndReason),
}
