//! What the platform's own staff are given by the API.

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// `GET /api/v1/impersonations` and `…/all`.
#[derive(Debug, Default, Deserialize)]
pub struct Impersonations {
    /// Newest first.
    pub impersonations: Vec<Impersonation>,
}

/// One grant.
#[derive(Debug, Deserialize)]
pub struct Impersonation {
    /// Its id.
    pub id: Uuid,
    /// Of which clinic.
    pub clinic: Uuid,
    /// As whom.
    pub subject: Uuid,
    /// What who acts was called.
    pub actor_name: String,
    /// Why; none for who oversees.
    pub reason: Option<String>,
    /// The case.
    pub ticket: String,
    /// `read-only`, `assist`, `technical`.
    pub preset: String,
    /// For how long at most.
    pub minutes: i16,
    /// How far it is.
    pub state: String,
    /// Who has to say yes: `allowed`, `approval_by_admin`, `consent_of_user`.
    pub rule: String,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
    /// Void unless it was started by then.
    #[serde(with = "time::serde::rfc3339")]
    pub start_by: OffsetDateTime,
    /// When it began.
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// When it ends at the latest.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ends_at: Option<OffsetDateTime>,
    /// When it was over.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// Why it is over.
    pub end_cause: Option<String>,
    /// To who oversees: what was opened.
    pub opened: Vec<Opened>,
}

impl Impersonation {
    /// Whether it waits for an administrator of the clinic.
    pub fn asks_clinic(&self) -> bool {
        self.state == "requested" && self.rule == "approval_by_admin"
    }
}

/// What was opened at one route.
#[derive(Debug, Deserialize)]
pub struct Opened {
    /// `GET`.
    pub method: String,
    /// The route's template.
    pub route: String,
    /// How often.
    pub times: i64,
    /// The last time.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
}

/// `GET /api/v1/verifiers`.
#[derive(Debug, Default, Deserialize)]
pub struct Verifiers {
    /// By client.
    pub verifiers: Vec<Verifier>,
}

/// One process.
#[derive(Debug, Deserialize)]
pub struct Verifier {
    /// The resource server.
    pub client_id: String,
    /// Its own name for the process.
    pub instance: String,
    /// `current`, `behind`, `silent`.
    pub standing: String,
    /// Of the verifier.
    pub version: String,
    /// Seconds since it last had the keys.
    pub keys_age_seconds: i64,
    /// Of the stream.
    pub position: Option<i64>,
    /// How far behind it said it was.
    pub lag_milliseconds: Option<i64>,
    /// When it was last heard.
    #[serde(with = "time::serde::rfc3339")]
    pub reported_at: OffsetDateTime,
}

/// `GET /api/v1/session-endings`.
#[derive(Debug, Default, Deserialize)]
pub struct Endings {
    /// Newest first.
    pub endings: Vec<Ending>,
}

/// One order.
#[derive(Debug, Deserialize)]
pub struct Ending {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub clinic: Uuid,
    /// A constant word.
    pub reason: String,
    /// No token from before is good.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// That it is complete.
    pub completion: Option<Completion>,
}

/// What the database said when it was asked last.
#[derive(Debug, Deserialize)]
pub struct Completion {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Sessions that were ended.
    pub sessions: u64,
    /// Token families.
    pub families: u64,
    /// Codes.
    pub codes: u64,
    /// What was left.
    pub left: u64,
}

/// `GET /api/v1/signing-keys`.
#[derive(Debug, Default, Deserialize)]
pub struct SigningKeys {
    /// Newest first.
    pub keys: Vec<SigningKey>,
}

/// A key that is published.
#[derive(Debug, Deserialize)]
pub struct SigningKey {
    /// Its name.
    pub kid: String,
    /// Its algorithm.
    pub alg: String,
    /// `next`, `current`, `previous`.
    pub standing: String,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}
