//! Who of the platform's support acted, or wants to act, as the person.

use askama::Template;
use time::OffsetDateTime;

use super::{Clinic, Frame, Hidden, Page};

/// Posts `csrf`, `clinic`, `grant` and `decision` (`allow`, `refuse`) to
/// [`super::paths::ACCOUNT_SUPPORT_ANSWER`]; without `decision` to
/// [`super::paths::ACCOUNT_SUPPORT_END`].
#[derive(Debug, Template)]
#[template(path = "support.html")]
pub struct SupportPage {
    /// Around it.
    pub frame: Frame,
    /// Against forged posts.
    pub csrf: Hidden,
    /// When the page was made.
    pub now: OffsetDateTime,
    /// What waits for her and what goes on, then what is over, newest first.
    pub rows: Vec<SupportRow>,
    /// What the person has just done, if she comes from a form.
    pub notice: Option<SupportNotice>,
}

/// One time that somebody acted, or asked to.
#[derive(Debug, Clone)]
pub struct SupportRow {
    /// Value of `grant`: an id, not a secret.
    pub id: String,
    /// Value of `clinic`: the slug.
    pub slug: String,
    /// Where.
    pub clinic: Clinic,
    /// Who.
    pub actor: String,
    /// Why, in the actor's words.
    pub reason: String,
    /// The case.
    pub ticket: String,
    /// What could be done, in words.
    pub may: &'static str,
    /// For how long at most, once it begins.
    pub minutes: i16,
    /// When it was asked for.
    pub requested_at: OffsetDateTime,
    /// How far it is.
    pub standing: SupportStanding,
    /// What was opened.
    pub opened: Vec<SupportOpened>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SupportStanding {
    /// It waits for her yes.
    AsksHer,
    /// It waits for her clinic's.
    AsksClinic,
    /// It may begin.
    Allowed,
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

/// What was opened at one place.
#[derive(Debug, Clone)]
pub struct SupportOpened {
    /// `Your visits (GET /api/v1/visits)`; of another API `GET /v1/results/{id}`.
    pub what: String,
    /// How often.
    pub times: i64,
    /// The last time.
    pub last_at: OffsetDateTime,
}

/// What has just been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SupportNotice {
    /// She said yes.
    Allowed,
    /// She said no.
    Refused,
    /// She ended it.
    Ended,
    /// It was not what it had been when the page was made.
    Changed,
}

impl SupportNotice {
    fn words(self) -> &'static str {
        match self {
            Self::Allowed => "You said yes. We write to you when it begins.",
            Self::Refused => "You said no. Nobody acts for you.",
            Self::Ended => "It is over. Nobody acts for you any more.",
            Self::Changed => "That had changed meanwhile. This is how it is now.",
        }
    }
}

impl SupportRow {
    fn is_open(&self) -> bool {
        !matches!(self.standing, SupportStanding::Over { .. })
    }

    fn asks_her(&self) -> bool {
        self.standing == SupportStanding::AsksHer
    }

    fn is_active(&self) -> bool {
        matches!(self.standing, SupportStanding::Active { .. })
    }
}

impl Page for SupportPage {
    fn sentence(&self) -> &'static str {
        "Support access"
    }
}
