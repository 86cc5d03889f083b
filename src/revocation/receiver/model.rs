//! A receiver's stream, and how far it is.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::{ClientId, TenantId};

/// Whether a stream gives anything (SSF 1.0 §8.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Enabled,
    /// Not now: what ends meanwhile is given later.
    Paused,
    /// No.
    Disabled,
}

impl Status {
    /// As in the protocol and in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    /// The one of that name.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Enabled, Self::Paused, Self::Disabled]
            .into_iter()
            .find(|status| status.word() == word)
    }
}

/// How a receiver is given its sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It asks (RFC 8936).
    Poll,
    /// It is told (RFC 8935).
    Push {
        /// Where it takes them: `https`.
        endpoint: String,
        /// The `Authorization` header that it wants to see, sealed; `None`: none.
        authorization_sealed: Option<Vec<u8>>,
    },
}

/// A receiver with something to be told, and nobody else at it until then.
#[derive(Clone, Debug)]
pub struct Due {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub client: ClientId,
    /// Where it takes what it is told.
    pub endpoint: String,
    /// As in [`Delivery::Push`].
    pub authorization_sealed: Option<Vec<u8>>,
    /// How often in a row it did not take what it was told.
    pub failures: i32,
    /// Until when it is ours to tell.
    pub until: OffsetDateTime,
}

/// What a receiver asked for.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its name.
    pub id: Uuid,
    /// Whether it gives anything.
    pub status: Status,
    /// Why, in the receiver's words.
    pub reason: Option<String>,
    /// Event types, of which it is given those that we have; `None`: all.
    pub requested: Option<Vec<String>>,
    /// In the receiver's words.
    pub description: Option<String>,
    /// How it is given.
    pub delivery: Delivery,
}

/// An event that a receiver asked for to see whether its stream works.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Its `jti`.
    pub id: Uuid,
    /// Of which stream.
    pub stream: Uuid,
    /// What the receiver wants to hear again.
    pub state: Option<String>,
}

/// How far a receiver is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Everything up to here was acknowledged or does not concern it.
    pub through: i64,
    /// Acknowledged beyond the first one that was not.
    pub beyond: Vec<i64>,
    /// What it asked for.
    pub stream: Option<Stream>,
    /// What waits to be given first.
    pub verification: Option<Verification>,
}
