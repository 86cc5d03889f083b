//! Who acts for whom: the proxy's and the patient's own page, and the clinic's.

use askama::Template;
use time::OffsetDateTime;

use super::{DeedNotice, Page, Refusal, Surroundings};

/// Patient portal: for whom she acts, and who acts for her. Ending posts `csrf`, `id` to
/// [`super::paths::APP_PROXIES`]; naming a caregiver `csrf` and the form's fields to
/// [`super::paths::APP_PROXIES_NAME`].
#[derive(Debug, Template)]
#[template(path = "proxies.html")]
pub struct ProxiesPage {
    /// Around it.
    pub around: Surroundings,
    /// What a form has just come to.
    pub notice: Option<DeedNotice>,
    /// Her `sub`, which she gives to who names her as a caregiver.
    pub number: String,
    /// The number that she typed and did not confirm.
    pub typed: String,
    /// The first and the last day until which she can name one: RFC 3339 `full-date`.
    pub until: (String, String),
    /// For whom she acts.
    pub you_act_for: Vec<ProxyRow>,
    /// Who acts for her.
    pub act_for_you: Vec<ProxyRow>,
    /// Set when the API refused: shown in place of all.
    pub refusal: Option<Refusal>,
}

/// One delegation that is not over.
#[derive(Debug, Clone)]
pub struct ProxyRow {
    /// Its id.
    pub id: String,
    /// The other's name.
    pub name: String,
    /// As what, in words: `parent`.
    pub basis: &'static str,
    /// From when on, if it has not begun.
    pub begins_at: Option<OffsetDateTime>,
    /// Until when, if that is known.
    pub ends_at: Option<OffsetDateTime>,
    /// Leads to the patient's visits, where she acts.
    pub visits_href: String,
    /// Whether she may end it.
    pub may_end: bool,
}

impl Page for ProxiesPage {
    fn sentence(&self) -> &'static str {
        "Acting for somebody"
    }
}

/// Console: all delegations of the clinic. Writing one down posts `csrf` and the form's fields to
/// [`super::paths::APP_DELEGATIONS`], ending `csrf`, `id` to
/// [`super::paths::APP_DELEGATIONS_END`].
#[derive(Debug, Template)]
#[template(path = "delegations.html")]
pub struct DelegationsPage {
    /// Around it.
    pub around: Surroundings,
    /// What a form has just come to.
    pub notice: Option<DeedNotice>,
    /// Newest first.
    pub delegations: Vec<DelegationRow>,
    /// For who may write one down: members' `sub` and name, by name; patients alone in the first.
    pub patients: Vec<(String, String)>,
    /// All of them.
    pub people: Vec<(String, String)>,
    /// Whether she may write one down and end one.
    pub may_write: bool,
    /// Set when the API refused: shown in place of all.
    pub refusal: Option<Refusal>,
}

/// One delegation.
#[derive(Debug, Clone)]
pub struct DelegationRow {
    /// Its id.
    pub id: String,
    /// The patient's name.
    pub patient: String,
    /// The proxy's.
    pub proxy: String,
    /// As what, in words.
    pub basis: &'static str,
    /// The law that it stands on.
    pub law: String,
    /// Where the paper is; empty: the patient named a caregiver herself.
    pub document: String,
    /// Until when, if that is known.
    pub ends_at: Option<OffsetDateTime>,
    /// When it was over, if it is.
    pub ended_at: Option<OffsetDateTime>,
}

/// As what somebody acts, in words, by the API's.
pub const BASES: [(&str, &str); 4] = [
    ("parent", "parent"),
    ("guardian", "guardian"),
    ("caregiver", "caregiver"),
    ("power_of_attorney", "agent under a power of attorney"),
];

impl Page for DelegationsPage {
    fn sentence(&self) -> &'static str {
        "Who acts for whom"
    }
}
