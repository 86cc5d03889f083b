//! What a clinic sees of the platform's support.

use askama::Template;
use time::OffsetDateTime;

use super::{ActingRow, ActingStanding, DeedNotice, Page, Refusal, Surroundings};

/// Clinic console: who of support asks, acts or acted as whom of the clinic's people. Posts `csrf`,
/// `grant` and `decision` (`allow`, `refuse`) to [`super::paths::APP_SUPPORT`]; without `decision`
/// to [`super::paths::APP_SUPPORT_END`].
#[derive(Debug, Template)]
#[template(path = "clinic_support.html")]
pub struct ClinicSupportPage {
    /// Around it.
    pub around: Surroundings,
    /// When the page was made.
    pub now: OffsetDateTime,
    /// What a form has just come to.
    pub notice: Option<DeedNotice>,
    /// What waits and what goes on, newest first.
    pub open: Vec<ClinicSupportRow>,
    /// What is over, newest first.
    pub over: Vec<ClinicSupportRow>,
    /// Whether who looks may say yes and no.
    pub may_answer: bool,
    /// Set when the API refused: shown in place of the lists.
    pub refusal: Option<Refusal>,
}

/// One grant; its `subject` is the person's name, and its `clinic` is empty.
#[derive(Debug, Clone)]
pub struct ClinicSupportRow {
    /// It.
    pub grant: ActingRow,
    /// Whether it waits for an administrator's yes.
    pub asks_clinic: bool,
}

impl Page for ClinicSupportPage {
    fn sentence(&self) -> &'static str {
        "Support at your clinic"
    }
}
