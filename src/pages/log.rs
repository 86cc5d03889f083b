//! What is on the record: the clinic's log in its console, and who saw a patient's record.

use askama::Template;
use time::OffsetDateTime;

use super::{App, Page, Refusal, Surroundings};

/// A log, newest first: the clinic's, or the platform's own. The form's fields and the links are
/// `GET`s of [`super::paths::APP_LOG`]; the download posts `csrf` to
/// [`super::paths::APP_LOG_EXPORT`].
#[derive(Debug, Template)]
#[template(path = "log.html")]
pub struct LogPage {
    /// Around it.
    pub around: Surroundings,
    /// [`App::Console`] or [`App::Platform`].
    pub app: App,
    /// What is looked for.
    pub filter: LogFilter,
    /// Who may be looked for: id and name, by name.
    pub people: Vec<(String, String)>,
    /// Newest first.
    pub entries: Vec<LogRow>,
    /// How much there is, and since when.
    pub standing: Option<LogStanding>,
    /// Leads to older entries, if there are any.
    pub older_href: Option<String>,
    /// Leads to the newest of what is looked for.
    pub newest_href: String,
    /// Whether the clinic that is looked for is none.
    pub is_unknown_clinic: bool,
    /// Whether these are the newest: then the page can follow what comes.
    pub is_newest: bool,
    /// What the form that checks repeats: name and value.
    pub repeated: Vec<(&'static str, String)>,
    /// What a check came to, if it was asked for.
    pub verdict: Option<LogVerdict>,
    /// Set when the API refused: shown in place of the entries.
    pub refusal: Option<Refusal>,
}

/// What is looked for; an empty field looks for anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// The `sub` of somebody it concerns.
    pub person: String,
    /// A type, or the beginning of one with `*` behind.
    pub event: String,
    /// The `sub` of who acted for somebody.
    pub actor: String,
    /// A request's id.
    pub trace: String,
    /// On the platform's record: a clinic's short name, or its id.
    pub clinic: String,
}

impl LogFilter {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One entry of the log.
#[derive(Debug, Clone)]
pub struct LogRow {
    /// Its place in the log, from 0.
    pub index: u64,
    /// When it was written.
    pub recorded_at: OffsetDateTime,
    /// Such as `visit.listed`.
    pub event: String,
    /// Whom it is about, by name if she is a member.
    pub who: String,
    /// Who acted for her, by name if that can be told.
    pub actor: Option<String>,
    /// The request's id.
    pub trace: Option<String>,
    /// Label and value, in the order of their labels.
    pub detail: Vec<(String, String)>,
}

/// How much is recorded, and how well it is kept.
#[derive(Debug, Clone)]
pub struct LogStanding {
    /// Entries.
    pub size: u64,
    /// When the oldest one that is still here was written.
    pub oldest_at: Option<OffsetDateTime>,
    /// Years that an entry is kept at least.
    pub retention_years: u32,
    /// How many of them a signature covers, and since when.
    pub signed: Option<(u64, OffsetDateTime)>,
    /// Whether that signature stands outside of the database too.
    pub is_anchored: bool,
}

/// What a check of a log came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogVerdict {
    /// All of it is as it must be.
    Good(LogProof),
    /// Something is not.
    Bad(LogFault),
}

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// How many entries the signature covers.
    pub size: u64,
    /// The key that signed, as it is published.
    pub key: String,
    /// How many of the shown entries are under it.
    pub covered: usize,
    /// How many are too new to be signed yet.
    pub uncovered: usize,
    /// Up to which size it was proven before: it has only grown since.
    pub since: Option<u64>,
    /// What the next check goes on from.
    pub proven: String,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFault {
    /// It can't be checked now.
    Silent,
    /// Nothing was signed yet.
    Unsigned,
    /// Signed by no key that is published.
    Untrusted,
    /// The signature is not that of the key it names.
    BadSignature,
    /// What is signed is another log.
    OtherLog,
    /// Of a shown entry, by its number, there is no proof that it is under the signature: it, or
    /// one beside it, is not what was signed.
    Missing(u64),
    /// What was proven before, up to this size, is not how the log begins now.
    Forked(u64),
}

impl LogFault {
    fn words(self) -> String {
        match self {
            Self::Silent => "This could not be checked just now. Try again.".to_owned(),
            Self::Unsigned => "Nothing of it is signed yet. The first signature comes within \
                               seconds of the first entry."
                .to_owned(),
            Self::Untrusted => "It is signed by a key that is not published.".to_owned(),
            Self::BadSignature => "Its signature is not good.".to_owned(),
            Self::OtherLog => "What is signed is another log.".to_owned(),
            Self::Missing(index) => {
                format!("Entry No. {index} can't be shown to be in what is signed.")
            }
            Self::Forked(size) => format!(
                "Its first {size} entries are not those that were checked before: something was \
                 changed or taken out."
            ),
        }
    }

    /// Whether the log itself is at fault.
    const fn is_alarming(self) -> bool {
        !matches!(self, Self::Silent | Self::Unsigned)
    }
}

impl Page for LogPage {
    fn sentence(&self) -> &'static str {
        match self.app {
            App::Platform => "What is on the platform's record",
            App::Patient | App::Clinician | App::Console => "What is on your clinic's record",
        }
    }
}

/// Who saw a patient's record (45 CFR 164.528), newest first.
#[derive(Debug, Template)]
#[template(path = "accesses.html")]
pub struct AccessesPage {
    /// Around it.
    pub around: Surroundings,
    /// Newest first.
    pub accesses: Vec<AccessRow>,
    /// Leads to older ones, if there are any.
    pub older_href: Option<String>,
    /// Set when the API refused.
    pub refusal: Option<Refusal>,
}

/// One time that somebody saw it.
#[derive(Debug, Clone)]
pub struct AccessRow {
    /// When, in the zone that shall be shown.
    pub at: OffsetDateTime,
    /// Who, in words: `You`, `Pat Quill, for you`, `Support, as Dr. Miriam Okafor`.
    pub who: String,
    /// What of it, in words: `Your list of visits`.
    pub what: String,
}

impl Page for AccessesPage {
    fn sentence(&self) -> &'static str {
        "Who saw your record"
    }
}

/// What of the log waits for somebody to look at it, oldest first.
#[derive(Debug, Template)]
#[template(path = "reviews.html")]
pub struct ReviewsPage {
    /// Around it.
    pub around: Surroundings,
    /// [`App::Console`] or [`App::Platform`].
    pub app: App,
    /// Oldest first.
    pub reviews: Vec<ReviewRow>,
    /// Leads to later ones, if there are any.
    pub later_href: Option<String>,
    /// What a form has just come to.
    pub notice: Option<ReviewNotice>,
    /// Set when the API refused.
    pub refusal: Option<Refusal>,
}

/// One entry that waits. Its form posts `csrf`, `index`, `verdict` to
/// [`super::paths::APP_REVIEWS`].
#[derive(Debug, Clone)]
pub struct ReviewRow {
    /// Its place in the log.
    pub index: u64,
    /// When it was written.
    pub recorded_at: OffsetDateTime,
    /// As the log names it.
    pub event: String,
    /// Why somebody has to look, in words.
    pub why: &'static str,
    /// Whom it is about.
    pub who: String,
}

/// What a form of the queue has just come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewNotice {
    /// It is signed off.
    Signed,
    /// It is about who wanted to sign it.
    OwnDeed,
    /// Somebody else was faster, or it could not be sent.
    NotSigned,
}

impl ReviewNotice {
    fn words(self) -> &'static str {
        match self {
            Self::Signed => "Signed off. Your name and the hour are on the record.",
            Self::OwnDeed => "This is about you: somebody else has to sign it off.",
            Self::NotSigned => {
                "Nothing was signed. Somebody else may have done it already: look at the list."
            }
        }
    }

    const fn is_problem(self) -> bool {
        !matches!(self, Self::Signed)
    }
}

impl Page for ReviewsPage {
    fn sentence(&self) -> &'static str {
        "What waits for your eyes"
    }
}
