//! The platform's own console: who acts for whom, who checks tokens, what an emergency ends.

use askama::Template;
use time::OffsetDateTime;

use super::{DeedNotice, Page, Refusal, SupportOpened, Surroundings};

/// Its first page.
#[derive(Debug, Template)]
#[template(path = "platform_home.html")]
pub struct PlatformHomePage {
    /// Around it.
    pub around: Surroundings,
    /// Whether he runs the platform: then there is more than support's grants.
    pub oversees: bool,
    /// Grants that go on, and those that wait; none if it can't be told.
    pub acting: Option<(usize, usize)>,
    /// Verifiers, and how many of them are behind or silent.
    pub verifiers: Option<(usize, usize)>,
}

impl Page for PlatformHomePage {
    fn sentence(&self) -> &'static str {
        "The platform at a glance"
    }
}

/// Support's grants: his own, or of all clinics. Posts `csrf` and more to
/// [`super::paths::PLATFORM_SUPPORT`] and below.
#[derive(Debug, Template)]
#[template(path = "acting.html")]
pub struct ActingPage {
    /// Around it.
    pub around: Surroundings,
    /// When the page was made.
    pub now: OffsetDateTime,
    /// What goes on.
    pub active: Vec<ActingRow>,
    /// What waits for a yes, or for its start.
    pub waiting: Vec<ActingRow>,
    /// What is over, newest first.
    pub over: Vec<ActingRow>,
    /// For support: what was typed into the form and not taken, or nothing.
    pub form: Option<ActingForm>,
    /// Whether he may end all.
    pub oversees: bool,
    /// What a form has just come to.
    pub notice: Option<ActingNotice>,
    /// Set when the API refused: shown in place of the lists.
    pub refusal: Option<Refusal>,
}

/// One grant.
#[derive(Debug, Clone)]
pub struct ActingRow {
    /// Value of `grant`: an id, not a secret.
    pub id: String,
    /// The clinic's name, or its id.
    pub clinic: String,
    /// As whom: an id of that clinic's, since the platform knows nobody's name.
    pub subject: String,
    /// Who.
    pub actor: String,
    /// Why, to who asked himself.
    pub reason: Option<String>,
    /// The case.
    pub ticket: String,
    /// What can be done, in words.
    pub may: &'static str,
    /// For how long at most.
    pub minutes: i16,
    /// When it was asked for.
    pub requested_at: OffsetDateTime,
    /// How far it is.
    pub standing: ActingStanding,
    /// What was opened, as far as it is told here.
    pub opened: Option<Vec<SupportOpened>>,
    /// Whether it is his own: then he may start and end it; else he may stop it.
    pub is_own: bool,
    /// Of one that goes on and is his own: the issuer's page that leads into the clinic's apps.
    pub enter_href: Option<String>,
}

/// How far a grant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActingStanding {
    /// It waits for the clinic's or the person's yes.
    Asked {
        /// Void then.
        by: OffsetDateTime,
    },
    /// It may begin.
    Allowed {
        /// Void then.
        by: OffsetDateTime,
    },
    /// It goes on.
    Active {
        /// When it ends at the latest.
        ends_at: OffsetDateTime,
    },
    /// It is over.
    Over {
        /// Since when.
        at: OffsetDateTime,
        /// Whether it ever began.
        was_active: bool,
        /// Why, in words.
        why: &'static str,
    },
}

impl ActingRow {
    fn may_start(&self) -> bool {
        self.is_own && matches!(self.standing, ActingStanding::Allowed { .. })
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.standing, ActingStanding::Over { .. })
    }

    /// Whether it goes on.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.standing, ActingStanding::Active { .. })
    }
}

/// What was typed to ask for a grant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActingForm {
    /// The clinic's short name.
    pub clinic: String,
    /// The person's id there.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// The case.
    pub ticket: String,
    /// `read-only`, `assist`, `technical`.
    pub preset: String,
    /// As typed.
    pub minutes: String,
}

/// What a form has just come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActingNotice {
    /// It is asked for.
    Asked,
    /// It began.
    Started,
    /// It is over.
    Ended,
    /// All are over.
    AllEnded,
    /// The form is not good.
    Unfit,
    /// No clinic has that short name.
    NoClinic,
    /// It may not be, or there is nobody like that.
    Refused,
    /// What else came of it.
    Deed(DeedNotice),
}

impl ActingNotice {
    const fn words(self) -> &'static str {
        match self {
            Self::Asked => "Asked. The person and the clinic can see it.",
            Self::Started => "It began. The person was told, and everything opened is listed.",
            Self::Ended => "It is over. Nothing that was given for it is good any more.",
            Self::AllEnded => "All are over. Nobody of support acts for anybody.",
            Self::Unfit => {
                "Look at the form again: a short name of a clinic, the person's id, 10 to 500 \
                 characters of why, a case, and 1 to 30 minutes."
            }
            Self::NoClinic => "No clinic that is served has this short name.",
            Self::Refused => {
                "That may not be: the clinic does not allow it, or there is no such person, or \
                 nobody may act as this person."
            }
            Self::Deed(came_to) => came_to.words(),
        }
    }

    const fn is_problem(self) -> bool {
        match self {
            Self::Asked | Self::Started | Self::Ended | Self::AllEnded => false,
            Self::Unfit | Self::NoClinic | Self::Refused => true,
            Self::Deed(came_to) => came_to.is_problem(),
        }
    }
}

impl Page for ActingPage {
    fn sentence(&self) -> &'static str {
        "Who acts for whom"
    }
}

/// Every process that checks our tokens, and how it stands.
#[derive(Debug, Template)]
#[template(path = "fleet.html")]
pub struct FleetPage {
    /// Around it.
    pub around: Surroundings,
    /// When the page was made.
    pub now: OffsetDateTime,
    /// By client.
    pub verifiers: Vec<VerifierRow>,
    /// Set when the API refused.
    pub refusal: Option<Refusal>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct VerifierRow {
    /// The resource server's client id.
    pub client: String,
    /// Its own name for the process; empty: it gave none.
    pub instance: String,
    /// `Current`, `Behind`, `Silent`.
    pub standing: &'static str,
    /// Whether it needs somebody's eyes.
    pub is_stale: bool,
    /// Of the verifier.
    pub version: String,
    /// Seconds since it last had the keys.
    pub keys_age_seconds: i64,
    /// Milliseconds that it is behind; none: it has no stream.
    pub lag_milliseconds: Option<i64>,
    /// Of the stream.
    pub position: Option<i64>,
    /// When it was last heard.
    pub reported_at: OffsetDateTime,
}

impl FleetPage {
    fn stale(&self) -> usize {
        self.verifiers.iter().filter(|one| one.is_stale).count()
    }
}

impl Page for FleetPage {
    fn sentence(&self) -> &'static str {
        "Who checks our tokens"
    }
}

/// What can be ended at once. Posts `csrf`, `clinic`, `again`, `reason` to
/// [`super::paths::PLATFORM_END_SESSIONS`], `csrf`, `kid`, `sure` to
/// [`super::paths::PLATFORM_WITHDRAW_KEY`].
#[derive(Debug, Template)]
#[template(path = "endings.html")]
pub struct EndingsPage {
    /// Around it.
    pub around: Surroundings,
    /// What was ordered, newest first.
    pub endings: Vec<EndingRow>,
    /// The keys that are published.
    pub keys: Vec<KeyRow>,
    /// What a form has just come to.
    pub notice: Option<EndingNotice>,
    /// Set when the API refused.
    pub refusal: Option<Refusal>,
}

/// One order to end everything of a clinic.
#[derive(Debug, Clone)]
pub struct EndingRow {
    /// Its id.
    pub id: String,
    /// The clinic's name, or its id.
    pub clinic: String,
    /// Why, in words.
    pub why: &'static str,
    /// No token from before is good.
    pub until: OffsetDateTime,
    /// That nothing is left; none: it is under way, or was interrupted.
    pub proof: Option<EndingProof>,
    /// Where it stands on the platform's record, once it does.
    pub index: Option<u64>,
}

/// What the database said when it was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndingProof {
    /// When.
    pub at: OffsetDateTime,
    /// Sessions that were ended.
    pub sessions: u64,
    /// Token families that were ended.
    pub families: u64,
    /// Codes that nobody had redeemed.
    pub codes: u64,
    /// What was left.
    pub left: u64,
}

/// A key that is published.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// Its name.
    pub kid: String,
    /// Its algorithm.
    pub alg: String,
    /// `Signs`, `Next`, `Verifies what it signed`.
    pub standing: &'static str,
    /// Since when.
    pub since: OffsetDateTime,
}

/// What a form has just come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndingNotice {
    /// No token of that clinic from before is good.
    Ordered,
    /// The key is withdrawn.
    Withdrawn,
    /// The two names are not the same, or nothing was said.
    Unsure,
    /// No clinic has that short name.
    NoClinic,
    /// What else came of it.
    Deed(DeedNotice),
}

impl EndingNotice {
    const fn words(self) -> &'static str {
        match self {
            Self::Ordered => {
                "Ordered. No token from before is good any more; the proof that nothing is left \
                 follows below."
            }
            Self::Withdrawn => {
                "Withdrawn. It is published no more, and no token that it signed is good."
            }
            Self::Unsure => "Nothing was done: type the same short name twice, or tick the box.",
            Self::NoClinic => "Nothing was done: no clinic that is served has this short name.",
            Self::Deed(came_to) => came_to.words(),
        }
    }

    const fn is_problem(self) -> bool {
        match self {
            Self::Ordered | Self::Withdrawn => false,
            Self::Unsure | Self::NoClinic => true,
            Self::Deed(came_to) => came_to.is_problem(),
        }
    }
}

impl Page for EndingsPage {
    fn sentence(&self) -> &'static str {
        "In an emergency"
    }
}
