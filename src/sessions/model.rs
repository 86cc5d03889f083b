//! What a session is.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::ids::{AccountId, SessionId, SubjectId, TenantSessionId};

/// A live session's facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub account: AccountId,
    /// The account's password epoch at sign-in; a later one ends it.
    pub password_epoch: i32,
    /// How she proved who she is (RFC 8176).
    pub amr: Vec<String>,
    /// Since when: the absolute clock.
    pub authenticated_at: OffsetDateTime,
    /// When she last proved who she is; sign-in at first, later a step-up.
    pub proved_at: OffsetDateTime,
    /// When she last proved a second factor in this session; none since her password, if none.
    pub factor_proved_at: Option<OffsetDateTime>,
    /// Whether the account's one sign-in without a second factor is this one.
    pub is_graced: bool,
    /// When she last did something: the idle clock.
    pub active_at: OffsetDateTime,
    /// Times in which nothing was done, oldest first, each longer than all later ones.
    pub silences: Vec<Silence>,
    /// Browser and system, as she would say it.
    pub device_label: String,
}

impl Session {
    /// The instant that `auth_time` tells of: when everything that the session claims was proved.
    /// With a second factor that is the factor's, so that a password alone never makes it fresh.
    pub fn authenticated_with_all_at(&self) -> OffsetDateTime {
        self.factor_proved_at.unwrap_or(self.proved_at)
    }

    /// Whether it may go on where a second factor is asked for: one was proved, or this is the
    /// account's one sign-in of grace.
    pub const fn meets_factor_rules(&self) -> bool {
        self.factor_proved_at.is_some() || self.is_graced
    }
}

/// A time in which nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// When something was done again, unix seconds.
    pub ended_at: i64,
    /// How long it was, whole seconds.
    pub seconds: i64,
}

/// How long a session may go on. Both positive, idle at most absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Since the last thing done.
    pub idle: Duration,
    /// Since sign-in.
    pub absolute: Duration,
}

/// When a session ends. Half-open: alive while `now` is before both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// When it ends if nothing is done.
    pub idle_ends_at: OffsetDateTime,
    /// When it ends whatever is done.
    pub session_ends_at: OffsetDateTime,
}

impl Clocks {
    /// Whether the session may still be used.
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        now < self.idle_ends_at && now < self.session_ends_at
    }

    /// Why it ended, if it did: the clock that ran out first.
    pub fn end_reason(&self, now: OffsetDateTime) -> Option<EndReason> {
        if self.is_live(now) {
            None
        } else if self.session_ends_at <= self.idle_ends_at {
            Some(EndReason::Absolute)
        } else {
            Some(EndReason::Idle)
        }
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// She signed out.
    SignedOut,
    /// She ended it from another device or her account page.
    EndedElsewhere,
    /// Nothing was done for too long.
    Idle,
    /// It reached its absolute end.
    Absolute,
    /// Her password was changed.
    PasswordChanged,
    /// Another sign-in in the same browser took its place.
    Replaced,
    /// The account was disabled or recovered by an operator.
    Administered,
    /// One more than a person may have began elsewhere, and this was idle longest.
    Displaced,
}

impl EndReason {
    /// As it stands in the table and the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::EndedElsewhere => "ended_elsewhere",
            Self::Idle => "idle",
            Self::Absolute => "absolute",
            Self::PasswordChanged => "password_changed",
            Self::Replaced => "replaced",
            Self::Administered => "administered",
            Self::Displaced => "displaced",
        }
    }
}

/// The session as one tenant sees it: what its tokens say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSession {
    /// The `sid` claim: random, this tenant's own.
    pub sid: TenantSessionId,
    /// The membership.
    pub subject: SubjectId,
    /// The `auth_time` claim.
    pub auth_time: OffsetDateTime,
    /// The `amr` claim, as it was when this tenant last got a code.
    pub amr: Vec<String>,
    /// When this tenant was first opened in the session: older silences are no concern of it.
    pub opened_at: OffsetDateTime,
    /// When the tenant ended it for itself, if it did; elsewhere the session goes on.
    pub ended_at: Option<OffsetDateTime>,
}

/// The secret half of a session cookie: 32 random bytes, ours only while we answer.
pub struct SessionSecret(SecretBox<[u8; 32]>);

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(***)")
    }
}

impl SessionSecret {
    /// From fresh random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// The same once more, for who answers when the request is gone.
    pub(crate) fn again(&self) -> Self {
        Self::new(*self.expose())
    }

    /// The cookie's value: base64url of the id and the secret, 64 characters.
    pub fn cookie_value(&self, session: SessionId) -> SecretString {
        let bytes = [&session.as_uuid().as_bytes()[..], self.expose()].concat();
        URL_SAFE_NO_PAD
            .encode(zeroize::Zeroizing::new(bytes))
            .into()
    }
}

/// A session cookie as it came in: parsed, not trusted.
#[derive(Debug)]
pub struct PresentedSession {
    /// Which session it names.
    pub id: SessionId,
    /// What it shows for it.
    pub secret: SessionSecret,
}

impl PresentedSession {
    /// Parses a cookie's value; `None` if it can't be one of ours.
    pub fn parse(value: &str) -> Option<Self> {
        let bytes = zeroize::Zeroizing::new(URL_SAFE_NO_PAD.decode(value).ok()?);
        let (id, secret) = bytes.split_at_checked(16)?;
        Some(Self {
            id: SessionId::from_uuid(Uuid::from_slice(id).ok()?),
            secret: SessionSecret::new(secret.try_into().ok()?),
        })
    }
}
