//! Grants as values.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::ids::{AccountId, ClientId, SessionId, SubjectId, TenantId};
use crate::words::words;

pub use crate::ids::ImpersonationId;

/// How long a request waits for its yes, and a yes for its start.
pub const START_WITHIN: Duration = Duration::hours(24);
/// Requests of one actor within [`ASKS_WITHIN`], whomever of: each is a letter to who is asked.
pub const MOST_ASKS: u32 = 20;
/// See [`MOST_ASKS`].
pub const ASKS_WITHIN: Duration = Duration::hours(1);
/// How lately the actor must have proved a second factor to start.
pub const FACTOR_WITHIN: Duration = Duration::minutes(5);
/// Longest life of one token under `act`, whatever the configuration says.
pub const TOKEN_LIFE: Duration = Duration::minutes(5);

words! {
    /// What a clinic lets support do.
    Rule {
        /// Nothing: as long as it said nothing else.
        Forbidden = "forbidden",
        /// Act at once.
        Allowed = "allowed",
        /// Act when an administrator of the clinic said yes.
        ApprovalByAdmin = "approval_by_admin",
        /// Act when the person herself said yes.
        ConsentOfUser = "consent_of_user",
    }
}

words! {
    /// How much of what is lent is wanted.
    Preset {
        /// To look.
        ReadOnly = "read-only",
        /// To help: also what may be written, as far as it is lent.
        Assist = "assist",
        /// To find a fault: nothing that is written about a patient.
        Technical = "technical",
    }
}

words! {
    /// How far a grant is.
    State {
        /// It waits for a yes.
        Requested = "requested",
        /// It waits for its start.
        Approved = "approved",
        /// Someone said no.
        Refused = "refused",
        /// Nobody answered, or nobody started it.
        Expired = "expired",
        /// Tokens are given.
        Active = "active",
        /// It is over.
        Ended = "ended",
    }
}

words! {
    /// Why a grant is over.
    EndCause {
        /// The person ended it.
        Subject = "by_subject",
        /// An administrator of her clinic did.
        Clinic = "by_clinic",
        /// Who acted did.
        Actor = "by_actor",
        /// An operator did: this one, or everything of the clinic.
        Operator = "by_operator",
        /// Its minutes are over.
        Time = "time",
        /// Nobody answered or started it.
        Unanswered = "unanswered",
        /// The actor's session ended.
        ActorSignedOut = "actor_signed_out",
        /// The membership of the actor or the person is not active any more.
        MembershipChanged = "membership_changed",
        /// The roles of either changed.
        RolesChanged = "roles_changed",
        /// The account of either was disabled, or the actor's got another password.
        AccountChanged = "account_changed",
        /// The clinic is not served.
        ClinicSuspended = "clinic_suspended",
        /// The clinic asks for more than was met.
        PolicyChanged = "policy_changed",
        /// A code that opened an app was shown twice.
        CodeReplayed = "code_replayed",
    }
}

/// Why support wants to act: 10 to 500 characters, none of them a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// Parses what was typed; `None` if it says too little or too much.
    pub fn parse(typed: &str) -> Option<Self> {
        // Bounded before it is looked at.
        if typed.len() > 4000 {
            return None;
        }
        let text = typed.trim();
        let fits =
            (10..=500).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The case in the support's own system: 1 to 64 letters, digits and `._#/-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket(String);

impl Ticket {
    /// Parses what was typed.
    pub fn parse(typed: &str) -> Option<Self> {
        let text = typed.trim();
        let is_word = (1..=64).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._#/-".contains(&b));
        is_word.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For how long: 1 to 30 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minutes(i16);

impl Minutes {
    /// Parses a number of minutes.
    pub fn parse(count: i64) -> Option<Self> {
        let count = i16::try_from(count).ok()?;
        (1..=30).contains(&count).then_some(Self(count))
    }

    /// As stored.
    pub const fn count(self) -> i16 {
        self.0
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The clinic.
    pub tenant: TenantId,
    /// As whom.
    pub subject: SubjectId,
    /// Why.
    pub reason: Reason,
    /// In which case.
    pub ticket: Ticket,
    /// How much.
    pub preset: Preset,
    /// For how long.
    pub minutes: Minutes,
}

/// A grant as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id: the `sid` of its tokens, and their `act.grant`.
    pub id: ImpersonationId,
    /// Of which clinic.
    pub tenant: TenantId,
    /// As whom.
    pub subject: SubjectId,
    /// The subject's account; never leaves the identity plane.
    pub account: AccountId,
    /// Who: a membership of the platform's tenant.
    pub actor: SubjectId,
    /// His account; never leaves the identity plane.
    pub actor_account: AccountId,
    /// What he was called when he asked.
    pub actor_name: String,
    /// Why.
    pub reason: String,
    /// In which case.
    pub ticket: String,
    /// How much.
    pub preset: Preset,
    /// For how long, once started.
    pub minutes: i16,
    /// What the clinic asked for at the request.
    pub rule: Rule,
    /// How far it is.
    pub state: State,
    /// Since when it is known.
    pub requested_at: OffsetDateTime,
    /// When it is void unless it was started.
    pub start_by: OffsetDateTime,
    /// When it started, if it did.
    pub started_at: Option<OffsetDateTime>,
    /// When it ends, once started.
    pub ends_at: Option<OffsetDateTime>,
    /// In which of the actor's sessions it started.
    pub actor_session: Option<SessionId>,
    /// When it was over.
    pub ended_at: Option<OffsetDateTime>,
    /// Why.
    pub end_cause: Option<EndCause>,
}

/// What was opened under a grant at one route.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Opened {
    /// Under which.
    pub impersonation_id: ImpersonationId,
    /// `GET`.
    pub method: String,
    /// The route's template: never what stood in its places.
    pub route: String,
    /// How often.
    pub times: i64,
    /// The last time.
    pub last_at: OffsetDateTime,
}

/// One request that a resource server answered under `act`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acted {
    /// Which API.
    pub audience: String,
    /// `GET`.
    pub method: String,
    /// The route's template.
    pub route: String,
    /// What it was answered with.
    pub status: u16,
    /// When, by the API's clock.
    pub at: OffsetDateTime,
    /// When its token was issued.
    pub issued_at: OffsetDateTime,
}

impl Grant {
    /// Whether a request may be let in under it at this instant.
    pub fn stands(&self, at: OffsetDateTime) -> bool {
        self.state == State::Active && self.ends_at.is_some_and(|end| at < end)
    }
}

/// Whether such a request is on the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is.
    Yes,
    /// No: it has yet to be answered, and what it was made under is over. It must not be let in.
    Over,
    /// No: there is nothing that it could have been made under.
    Unknown,
}

impl Acted {
    /// Adds what the log says of it: which API it was, and what was asked.
    pub(crate) fn tell(&self, api: &ClientId, detail: &mut Value) {
        detail["client_id"] = json!(api);
        detail["audience"] = json!(self.audience);
        detail["method"] = json!(self.method);
        detail["route"] = json!(self.route);
        detail["status"] = json!(self.status);
        detail["at"] = json!(self.at.unix_timestamp());
    }

    /// What a request that was let in has for a status before its handler answers (RFC 9110
    /// §15.2.1).
    pub const NOT_YET_ANSWERED: u16 = 100;

    /// Whether it has its answer: then the grant may be over by now.
    pub const fn is_answered(&self) -> bool {
        self.status != Self::NOT_YET_ANSWERED
    }

    /// Whether it can be stored: a method and a template, no address with something in it.
    pub fn is_sound(&self) -> bool {
        let is_method = (1..=20).contains(&self.method.len())
            && self.method.bytes().all(|b| b.is_ascii_uppercase());
        let is_route = (1..=200).contains(&self.route.chars().count())
            && self.route.starts_with('/')
            && !self
                .route
                .chars()
                .any(|c| c.is_control() || c.is_whitespace() || c == '?' || c == '#');
        is_method && is_route && (100..=599).contains(&self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IMP-12: blank, short, endless, and with a line of its own.
    #[test]
    fn a_reason_says_enough_and_not_more() {
        assert_eq!(
            Reason::parse("  She can't see her visit ").map(|r| r.0),
            Some("She can't see her visit".to_owned())
        );
        assert!(Reason::parse(&"\u{e9}".repeat(500)).is_some());
        for no in [
            "",
            "x",
            "too short",
            "          ",
            "a line\nand another",
            &"x".repeat(501),
            &"x".repeat(1 << 20),
        ] {
            assert_eq!(Reason::parse(no), None, "{} bytes", no.len());
        }
    }

    #[test]
    fn a_ticket_is_a_word_and_minutes_are_thirty_at_most() {
        assert!(Ticket::parse("HELP-4711").is_some() && Ticket::parse("a/b#1.2_c").is_some());
        for no in ["", " ", "-1", "a b", "a\u{0}", "\u{e9}", &"x".repeat(65)] {
            assert_eq!(Ticket::parse(no), None, "{no:?}");
        }
        for (count, is_good) in [
            (0, false),
            (1, true),
            (30, true),
            (31, false),
            (480, false),
            (-5, false),
        ] {
            assert_eq!(Minutes::parse(count).is_some(), is_good, "{count}");
        }
        assert_eq!(Minutes::parse(i64::MAX), None);
    }

    #[test]
    fn what_is_recorded_is_a_template() {
        let acted = |method: &str, route: &str, status| Acted {
            audience: "a".into(),
            method: method.into(),
            route: route.into(),
            status,
            at: OffsetDateTime::UNIX_EPOCH,
            issued_at: OffsetDateTime::UNIX_EPOCH,
        };
        assert!(acted("GET", "/v1/visits/{id}", 200).is_sound());
        for no in [
            acted("get", "/v1", 200),
            acted("", "/v1", 200),
            acted("GET", "", 200),
            acted("GET", "v1", 200),
            acted("GET", "/v1?name=Ada", 200),
            acted("GET", "/v1/Ada Quill", 200),
            acted("GET", &format!("/{}", "x".repeat(200)), 200),
            acted("GET", "/v1", 7),
        ] {
            assert!(!no.is_sound(), "{no:?}");
        }
    }
}
