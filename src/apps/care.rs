//! Emergency accesses and delegations, as the platform's API gives them.

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// Somebody, by id and name.
#[derive(Debug, Deserialize)]
pub struct Named {
    /// The `sub` in this clinic.
    pub id: String,
    /// As the clinic calls her.
    pub name: String,
}

/// `POST /api/v1/emergency-accesses/patients`.
#[derive(Debug, Default, Deserialize)]
pub struct FoundPatients {
    /// By name.
    pub patients: Vec<Named>,
}

/// `GET /api/v1/emergency-accesses/waiting`.
#[derive(Debug, Deserialize)]
pub struct Waiting {
    /// How many wait for a review.
    pub waiting: u64,
}

/// `GET /api/v1/emergency-accesses`.
#[derive(Debug, Default, Deserialize)]
pub struct EmergencyAccesses {
    /// Oldest first.
    pub accesses: Vec<EmergencyAccess>,
}

/// One clinician's access to one record.
#[derive(Debug, Deserialize)]
pub struct EmergencyAccess {
    /// Its id.
    pub id: Uuid,
    /// Who opened it.
    pub clinician: Named,
    /// Whose record.
    pub patient: Named,
    /// Why, in one word.
    pub reason: String,
    /// Why, in his own; none once the clinic's data is destroyed.
    pub why: Option<String>,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub opened_at: OffsetDateTime,
    /// Until when at most.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// When he closed it before.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
}

impl EmergencyAccess {
    /// When it opens nothing any more.
    pub fn ends_at(&self) -> OffsetDateTime {
        self.closed_at.unwrap_or(self.expires_at)
    }
}

/// `GET /api/v1/me/delegations`.
#[derive(Debug, Default, Deserialize)]
pub struct OwnDelegations {
    /// Who may act for her.
    pub act_for_you: Vec<Delegation>,
    /// For whom she may act.
    pub you_act_for: Vec<Delegation>,
}

/// `GET /api/v1/delegations`.
#[derive(Debug, Default, Deserialize)]
pub struct Delegations {
    /// Newest first.
    pub delegations: Vec<Delegation>,
}

/// What lets one member act for another.
#[derive(Debug, Deserialize)]
pub struct Delegation {
    /// Its id.
    pub id: Uuid,
    /// Whose rights.
    pub patient: Named,
    /// Who acts.
    pub proxy: Named,
    /// As what, in a word.
    pub basis: String,
    /// The law that it stands on.
    pub law: String,
    /// Where the paper is.
    pub document: Option<String>,
    /// From when on.
    #[serde(with = "time::serde::rfc3339")]
    pub valid_from: OffsetDateTime,
    /// Until when at most.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ends_at: Option<OffsetDateTime>,
    /// When it was over.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// Whether the caller may end it.
    pub you_may_end: bool,
}

impl Delegation {
    /// Whether it is over.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        self.ended_at.is_some() || self.ends_at.is_some_and(|end| end <= now)
    }
}
