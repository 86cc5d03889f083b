//! What is on the record, as the platform's API gives it.

use serde::Deserialize;
use time::OffsetDateTime;

/// `GET /api/v1/audit/events`.
#[derive(Debug, Deserialize)]
pub struct LogEvents {
    /// `before` of the next page.
    pub next: Option<u64>,
    /// Newest first.
    pub entries: Vec<LogEvent>,
}

/// `GET /api/v1/audit/events?as=line`.
#[derive(Debug, Deserialize)]
pub struct LogLines {
    /// `before` of the next page.
    pub next: Option<u64>,
    /// Newest first.
    pub entries: Vec<LogLine>,
}

/// One entry, as it is in the log byte by byte.
#[derive(Debug, Deserialize)]
pub struct LogLine {
    /// JSON (docs/AUDIT-FORMAT.md).
    pub line: String,
}

impl LogLine {
    /// What it says; `None`: it is no line of a log.
    pub fn event(&self) -> Option<LogEvent> {
        serde_json::from_str(&self.line).ok()
    }
}

/// `GET /api/v1/audit/standing`.
#[derive(Debug, Deserialize)]
pub struct LogHeld {
    /// Entries of the whole log.
    pub size: u64,
    /// How many of them are signed.
    pub signed: u64,
    /// How many of them are signed outside of the database.
    pub anchored: u64,
    /// Since when.
    #[serde(with = "time::serde::rfc3339::option")]
    pub signed_at: Option<OffsetDateTime>,
    /// When the oldest one that is kept was written.
    #[serde(with = "time::serde::rfc3339::option")]
    pub oldest_recorded_at: Option<OffsetDateTime>,
    /// Years that one is kept at least.
    pub retention_years: u32,
}

/// One entry of the log.
#[derive(Debug, Deserialize)]
pub struct LogEvent {
    /// Its place, from 0.
    pub index: u64,
    /// `noun.past_participle`.
    #[serde(rename = "type")]
    pub event: String,
    /// Whose account it is about, if one's.
    pub account: Option<String>,
    /// Her `sub`, if it is about a member.
    pub subject: Option<String>,
    /// The `sub` of who acted for her.
    pub actor: Option<String>,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    /// The request's id.
    pub trace: Option<String>,
    /// By label.
    pub detail: serde_json::Map<String, serde_json::Value>,
}

/// `GET /api/v1/audit/accesses`.
#[derive(Debug, Default, Deserialize)]
pub struct Accesses {
    /// `before` of the next page.
    pub next: Option<u64>,
    /// Newest first.
    pub accesses: Vec<Access>,
}

/// One time that somebody saw the caller's record.
#[derive(Debug, Deserialize)]
pub struct Access {
    /// What was done.
    #[serde(rename = "type")]
    pub event: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    /// Whose right it was.
    pub by: AccessBy,
    /// Whether somebody else acted with that right.
    pub was_acted: bool,
    /// The proxy's name, if it was one.
    pub proxy: Option<String>,
}

/// Who saw it.
#[derive(Debug, Deserialize)]
pub struct AccessBy {
    /// Display name; none of who is no member any more.
    pub name: Option<String>,
    /// Whether it was the caller herself.
    pub is_you: bool,
}

/// `GET /api/v1/audit/reviews`.
#[derive(Debug, Default, Deserialize)]
pub struct Reviews {
    /// `after` of the next page.
    pub next: Option<u64>,
    /// Oldest first.
    pub reviews: Vec<Review>,
}

/// An entry of the log that waits to be looked at.
#[derive(Debug, Deserialize)]
pub struct Review {
    /// Its place in the log.
    pub index: u64,
    /// `noun.past_participle`.
    #[serde(rename = "type")]
    pub event: String,
    /// `access`, `factor`, `privilege`, `session`, `sign_in`.
    pub why: String,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    /// Whom it is about.
    pub subject: Option<String>,
}
