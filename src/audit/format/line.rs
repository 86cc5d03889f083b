//! What a line says. For reading alone: what is hashed, sent and kept is the line.

use serde::Deserialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

/// An entry, read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The version of the form: 1.
    pub v: u32,
    /// Whose log: a tenant's id.
    pub log: Uuid,
    /// Its place in the log.
    pub index: u64,
    /// The event's id.
    pub id: Uuid,
    /// What happened: `noun.participle`.
    #[serde(rename = "type")]
    pub event: String,
    /// The class of access in which it happened.
    pub class: String,
    /// Whose sign-in it was.
    pub account: Option<Uuid>,
    /// Whom it is about.
    pub subject: Option<Uuid>,
    /// Who did it, if that is another.
    pub actor: Option<Uuid>,
    /// By the server's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// By the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    /// The request's trace.
    pub trace: Option<String>,
    /// The server's MAC, in hexadecimal.
    pub mac: String,
    /// Ids, counts and constant words.
    pub detail: Map<String, Value>,
}

impl Line {
    /// Reads a line; none if it is not one of version 1.
    pub fn parse(line: &str) -> Option<Self> {
        let line: Self = serde_json::from_str(line).ok()?;
        (line.v == 1).then_some(line)
    }
}
