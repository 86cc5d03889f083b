//! The relying parties: patient portal, clinician portal, clinic console, platform console.

use askama::Template;
use time::OffsetDateTime;

use super::{Frame, Hidden, Page};

/// Which of our own apps a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    /// For patients.
    Patient,
    /// For clinicians and nurses.
    Clinician,
    /// For those who run a clinic.
    Console,
    /// For those who run the platform: of no clinic.
    Platform,
}

impl App {
    /// All of them, in the order of their ports.
    pub const ALL: [Self; 4] = [
        Self::Patient,
        Self::Clinician,
        Self::Console,
        Self::Platform,
    ];

    /// Whether clinics have it, each at a host of its own.
    pub const fn is_a_clinics(self) -> bool {
        !matches!(self, Self::Platform)
    }

    /// Its name, for [`Frame::product`] and the links between apps.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Patient => "Patient portal",
            Self::Clinician => "Clinician portal",
            Self::Console => "Clinic console",
            Self::Platform => "Platform console",
        }
    }

    const fn purpose(self) -> &'static str {
        match self {
            Self::Patient => "See your visits and who takes care of you.",
            Self::Clinician => "See the visits that are assigned to you.",
            Self::Console => "See your clinic's members and settings.",
            Self::Platform => "See who acts for whom, and what happens on the platform.",
        }
    }
}

/// Another app of the same clinic.
#[derive(Debug, Clone)]
pub struct AppLink {
    /// Which.
    pub app: App,
    /// Its address at this clinic, such as `http://juniper.localhost:8082/`.
    pub href: String,
    /// Whether it is the one being shown.
    pub is_current: bool,
}

/// Who is signed in, from `/api/v1/me` and the ID token.
#[derive(Debug, Clone)]
pub struct Person {
    /// Display name.
    pub name: String,
    /// Roles in words: `Patient`, `Physician and clinic admin`.
    pub roles: String,
    /// The issuer's account page.
    pub account_href: String,
}

/// What every page of a signed-in person has around it.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// With `session` set.
    pub frame: Frame,
    /// For every form.
    pub csrf: Hidden,
    /// Who is signed in.
    pub person: Person,
    /// All apps of the clinic, this one too.
    pub apps: Vec<AppLink>,
}

/// An app's front page before sign-in. "Sign in" is a link to [`super::paths::APP_SIGN_IN`].
#[derive(Debug, Template)]
#[template(path = "welcome.html")]
pub struct WelcomePage {
    /// Around it.
    pub frame: Frame,
    /// Which app.
    pub app: App,
}

impl Page for WelcomePage {
    fn sentence(&self) -> &'static str {
        match self.app {
            App::Patient => "Welcome to your patient portal",
            App::Clinician => "Welcome to your clinician portal",
            App::Console => "Welcome to your clinic console",
            App::Platform => "Welcome to the platform console",
        }
    }
}

/// Home of the patient and the clinician portal: visits that the API served.
#[derive(Debug, Template)]
#[template(path = "visits_home.html")]
pub struct VisitsHomePage {
    /// Around it.
    pub around: Surroundings,
    /// [`App::Patient`] or [`App::Clinician`].
    pub app: App,
    /// What the clinic tells its people.
    pub announcement: Option<String>,
    /// Soonest first. In the zone that shall be shown.
    pub visits: Vec<VisitRow>,
    /// Whether he may open another's record in an emergency.
    pub opens_in_emergency: bool,
    /// Set when the API refused: shown in place of the list.
    pub refusal: Option<Refusal>,
}

/// One visit.
#[derive(Debug, Clone)]
pub struct VisitRow {
    /// When it starts, in the zone that shall be shown.
    pub starts_at: OffsetDateTime,
    /// The other side: the practitioner for a patient, the patient for a clinician.
    pub with: String,
    /// `Video`, `Phone`, `Messages`.
    pub modality: String,
    /// Its state in a word: `Scheduled`, `In progress`, `Done`.
    pub state: String,
    /// Why the patient comes; empty if nobody wrote it.
    pub reason: String,
}

impl VisitsHomePage {
    fn shows_accesses(&self) -> bool {
        self.app == App::Patient && self.refusal.is_none()
    }

    fn with_heading(&self) -> &'static str {
        match self.app {
            App::Patient => "With",
            App::Clinician | App::Console | App::Platform => "Patient",
        }
    }

    fn nothing_here(&self) -> &'static str {
        match self.app {
            App::Patient => "You have no visits. When your clinic books one, it is shown here.",
            App::Clinician | App::Console | App::Platform => "No visits are assigned to you.",
        }
    }
}

impl Page for VisitsHomePage {
    fn sentence(&self) -> &'static str {
        match self.app {
            App::Patient => "Your visits",
            App::Clinician | App::Console | App::Platform => "Your patients' visits",
        }
    }
}

/// Home of the console: the clinic's facts and members.
#[derive(Debug, Template)]
#[template(path = "console_home.html")]
pub struct ConsoleHomePage {
    /// Around it.
    pub around: Surroundings,
    /// Slug, host, limits of both clocks.
    pub facts: Vec<Fact>,
    /// By name.
    pub members: Vec<MemberRow>,
    /// What the clinic tells its people.
    pub announcement: Option<String>,
    /// For who may change that: what she typed and could not send yet, or nothing. Posts `csrf`,
    /// `text` to [`super::paths::APP_ANNOUNCEMENT`].
    pub draft: Option<String>,
    /// What that form has just come to.
    pub notice: Option<AnnouncementNotice>,
    /// Whether she may see the clinic's log ([`super::LogPage`]).
    pub reads_log: bool,
    /// How many emergency accesses wait for a review, for who may review them.
    pub emergencies: Option<u64>,
    /// How many of support's grants wait for the clinic's yes, and how many go on; for who may see
    /// them.
    pub support: Option<(usize, usize)>,
    /// Set when the API refused: shown in place of facts and members.
    pub refusal: Option<Refusal>,
}

impl ConsoleHomePage {
    fn emergencies_note(&self) -> Option<String> {
        match self.emergencies? {
            0 => None,
            1 => Some("1 emergency access waits for review".to_owned()),
            more => Some(format!("{more} emergency accesses wait for review")),
        }
    }

    fn support_note(&self) -> Option<String> {
        let acts = |count| match count {
            1 => "Support acts as somebody of your clinic now".to_owned(),
            more => format!("Support acts as {more} people of your clinic now"),
        };
        match self.support? {
            (0, 0) => None,
            (0, acting) => Some(acts(acting)),
            (_, 0) => Some("Support asks to act at your clinic, and waits for your yes".to_owned()),
            (_, acting) => Some(format!("{}, and asks for more", acts(acting))),
        }
    }
}

/// What the form of the announcement has just come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnouncementNotice {
    /// It is said.
    Said,
    /// She did not confirm, or it could not be sent: the text is kept.
    Kept,
    /// The text is empty or too long.
    Unfit,
}

impl AnnouncementNotice {
    fn words(self) -> &'static str {
        match self {
            Self::Said => "Everybody at your clinic sees this now.",
            Self::Kept => {
                "This is not shown to anybody yet. Your text is kept below: send it again."
            }
            Self::Unfit => "Type 1 to 500 characters.",
        }
    }

    const fn is_problem(self) -> bool {
        !matches!(self, Self::Said)
    }
}

/// A label and its value.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Such as `Sign-out when away`.
    pub label: &'static str,
    /// Such as `after 15 minutes`.
    pub value: String,
}

/// One member of the clinic.
#[derive(Debug, Clone)]
pub struct MemberRow {
    /// Display name.
    pub name: String,
    /// Roles in words.
    pub roles: String,
    /// `Active`, `Suspended`.
    pub status: String,
}

impl Page for ConsoleHomePage {
    fn sentence(&self) -> &'static str {
        "Your clinic at a glance"
    }
}

/// What an API said no with (RFC 6750 §3.1, RFC 9457).
#[derive(Debug, Clone)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The public code: `insufficient_scope`, `invalid_token`.
    pub code: String,
}

impl Refusal {
    pub(super) fn words(&self) -> &'static str {
        match self.status {
            401 => "Your sign-in is no longer good for these records.",
            403 => "You are signed in, but your role does not open these records.",
            404 => "There is nothing here, or it belongs to another clinic.",
            429 => "That was asked for too often in a short time.",
            _ => "The records could not be reached. This is our fault, not yours.",
        }
    }

    pub(super) fn advice(&self) -> &'static str {
        match self.status {
            401 => "Sign in again.",
            403 => "If you need them for your work, ask your clinic's administrator.",
            404 => "Go back and choose from the list.",
            _ => "Wait a minute and try again.",
        }
    }
}

/// A whole page for a refusal of the API.
#[derive(Debug, Template)]
#[template(path = "refusal.html")]
pub struct RefusalPage {
    /// Around it.
    pub around: Surroundings,
    /// What it said.
    pub refusal: Refusal,
}

impl Page for RefusalPage {
    fn sentence(&self) -> &'static str {
        "These records stay closed"
    }
}
