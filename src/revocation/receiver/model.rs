//! A receiver's stream, and how far it is.

use uuid::Uuid;

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
