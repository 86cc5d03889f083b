//! Emergency access: the clinician opens a record, the clinic reviews it.

use askama::Template;
use time::OffsetDateTime;

use super::{DeedNotice, Page, Refusal, Surroundings, VisitRow};

/// Clinician portal: what he has opened, and the way to open another. The form that looks for a
/// patient posts `csrf`, `name` to [`super::paths::APP_EMERGENCY_PATIENTS`]; the one that opens
/// `csrf`, `patient`, `reason`, `why` to [`super::paths::APP_EMERGENCY`].
#[derive(Debug, Template)]
#[template(path = "emergency.html")]
pub struct EmergencyPage {
    /// Around it.
    pub around: Surroundings,
    /// What a form has just come to.
    pub notice: Option<DeedNotice>,
    /// His that are open, the oldest first. Closing posts `csrf`, `id` to
    /// [`super::paths::APP_EMERGENCY_CLOSE`].
    pub open: Vec<OpenRow>,
    /// Whom he looked for, if he did.
    pub sought: Option<SoughtPatients>,
    /// The word of the reason that he chose and did not confirm; empty: none.
    pub reason: String,
    /// What he wrote then.
    pub why: String,
    /// Set when the API refused: shown in place of all.
    pub refusal: Option<Refusal>,
}

/// Patients by a part of their names.
#[derive(Debug, Clone)]
pub struct SoughtPatients {
    /// What he typed.
    pub name: String,
    /// Whom that found: `sub` and name.
    pub found: Vec<(String, String)>,
}

/// One that is open.
#[derive(Debug, Clone)]
pub struct OpenRow {
    /// Its id.
    pub id: String,
    /// Whose record.
    pub patient: String,
    /// Leads to her visits ([`RecordPage`]).
    pub visits_href: String,
    /// Why, in words.
    pub reason: &'static str,
    /// Until when, in the zone that shall be shown.
    pub until: OffsetDateTime,
}

/// Why a record is opened, in words, by the API's.
pub const EMERGENCY_REASONS: [(&str, &str); 5] = [
    ("life_threatening", "The patient's life is in danger"),
    ("patient_unreachable", "The patient can't be asked"),
    ("covering_colleague", "I cover for a colleague"),
    ("transfer_of_care", "The patient is handed over to me"),
    ("other", "Something else"),
];

impl Page for EmergencyPage {
    fn sentence(&self) -> &'static str {
        "Open a record in an emergency"
    }
}

/// A patient's visits, looked at by somebody who is not she: what lets him stands above.
#[derive(Debug, Template)]
#[template(path = "record.html")]
pub struct RecordPage {
    /// Around it.
    pub around: Surroundings,
    /// Whose record this is and as what it is seen: the banner, which can't be hidden.
    pub banner: String,
    /// Where it was opened.
    pub back_href: &'static str,
    /// In words.
    pub back: &'static str,
    /// Soonest first.
    pub visits: Vec<VisitRow>,
    /// Set when the API refused: shown in place of the list.
    pub refusal: Option<Refusal>,
}

impl RecordPage {
    #[expect(
        clippy::unused_self,
        reason = "the table of visits asks each page that holds one"
    )]
    fn with_heading(&self) -> &'static str {
        "With"
    }
}

impl Page for RecordPage {
    fn sentence(&self) -> &'static str {
        "Another person's visits"
    }
}

/// Console: the accesses that wait for a review. Its forms post `csrf`, `id`, `finding`, `note` to
/// [`super::paths::APP_EMERGENCIES`].
#[derive(Debug, Template)]
#[template(path = "emergencies.html")]
pub struct EmergenciesPage {
    /// Around it.
    pub around: Surroundings,
    /// What a form has just come to.
    pub notice: Option<DeedNotice>,
    /// Oldest first.
    pub waiting: Vec<WaitingRow>,
    /// Set when the API refused: shown in place of the list.
    pub refusal: Option<Refusal>,
}

/// One that waits.
#[derive(Debug, Clone)]
pub struct WaitingRow {
    /// Its id.
    pub id: String,
    /// Who opened it.
    pub clinician: String,
    /// Whose record.
    pub patient: String,
    /// Why, in words.
    pub reason: &'static str,
    /// Why, in his; empty once the clinic's data is destroyed.
    pub why: String,
    /// Since when.
    pub opened_at: OffsetDateTime,
    /// Until when.
    pub ended_at: OffsetDateTime,
    /// Whether it is over, so that it can be signed off.
    pub is_over: bool,
}

impl Page for EmergenciesPage {
    fn sentence(&self) -> &'static str {
        "Records opened in an emergency"
    }
}
