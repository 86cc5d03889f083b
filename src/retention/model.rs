//! The one list of what is forgotten. `docs/OPERATIONS.md` shows it; a test compares the two.

use time::{Duration, OffsetDateTime};

use crate::config::Retention;

/// What one statement deletes, by the plane whose login may ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dead {
    /// The identity plane's.
    Identity(IdentityDead),
    /// The apps'.
    Apps(AppsDead),
}

/// What the identity plane forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityDead {
    /// Digests of the tokens of families that are over.
    RefreshTokens,
    /// Families without tokens.
    Families,
    /// Codes of sign-ins that are over.
    Codes,
    /// Sessions as clinics saw them, without families and codes.
    TenantSessions,
    /// Sessions that no clinic knows any more.
    Sessions,
    /// Codes that support's browsers brought.
    HandoverCodes,
    /// Ways of support's browsers into apps.
    Handovers,
    /// Requests that waited for a person.
    Interactions,
    /// Counters of guesses whose window is past.
    Throttle,
    /// Browsers and networks that a person does not use any more.
    KnownPlaces,
    /// Mail that was handed over.
    Mail,
    /// What verifiers were told.
    Revocations,
    /// What verifiers said of themselves.
    Standings,
}

/// What our own apps forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppsDead {
    /// Their sessions.
    Sessions,
    /// Sign-ins under way.
    Logins,
}

/// How long dead rows of a table stay, and why so long.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What goes.
    pub what: Dead,
    /// From which table.
    pub table: &'static str,
    /// From when it counts, in words.
    pub since: &'static str,
    /// The setting that says how long, or the text of what is fixed.
    pub kept: &'static str,
    /// So long after `since` a row goes.
    pub keep: fn(&Retention) -> Duration,
    /// Why not at once.
    pub why: &'static str,
}

impl Rule {
    /// What was over before this instant goes.
    pub fn before(&self, retention: &Retention, now: OffsetDateTime) -> OffsetDateTime {
        now - (self.keep)(retention)
    }
}

/// No session may live longer than this after its sign-in (`session.absolute`), nor a family.
const LONGEST_SESSION: Duration = Duration::hours(24);

const fn of_a_sign_in(what: IdentityDead, table: &'static str, why: &'static str) -> Rule {
    Rule {
        what: Dead::Identity(what),
        table,
        since: "a day after the sign-in, when nothing of it can live any more",
        kept: "retention.sessions",
        keep: |retention| LONGEST_SESSION + retention.sessions,
        why,
    }
}

const fn of_a_handover(what: IdentityDead, table: &'static str, why: &'static str) -> Rule {
    Rule {
        what: Dead::Identity(what),
        table,
        since: "the end of its minute, half an hour after which no grant lives",
        kept: "1d",
        keep: |_| Duration::days(1),
        why,
    }
}

/// What goes together, in order: what refers to another goes before it.
pub const CHAINS: &[&[Rule]] = &[
    &[
        of_a_sign_in(
            IdentityDead::RefreshTokens,
            "identity.refresh_token",
            "a token that comes back is known: while its family lives it ends it, afterwards the \
             log can say what it was",
        ),
        of_a_sign_in(
            IdentityDead::Families,
            "identity.token_family",
            "the log can say why a family ended",
        ),
        of_a_sign_in(
            IdentityDead::Codes,
            "identity.authorization_code",
            "a code that comes back ends what its first use gave",
        ),
        of_a_sign_in(
            IdentityDead::TenantSessions,
            "identity.tenant_session",
            "families and codes hang on it",
        ),
        of_a_sign_in(
            IdentityDead::Sessions,
            "identity.session",
            "who asks what happened is told from when and where she was signed in",
        ),
    ],
    &[
        of_a_handover(
            IdentityDead::HandoverCodes,
            "identity.handover_code",
            "a code that comes back ends the grant",
        ),
        of_a_handover(
            IdentityDead::Handovers,
            "identity.handover",
            "the log can say why a transfer was refused",
        ),
    ],
    &[Rule {
        what: Dead::Identity(IdentityDead::Interactions),
        table: "identity.interaction",
        since: "the end of its waiting",
        kept: "2h",
        keep: |_| Duration::hours(2),
        why: "a page left open says that it is too late, not that it never was",
    }],
    &[Rule {
        what: Dead::Identity(IdentityDead::Throttle),
        table: "identity.throttle",
        since: "the start of its window",
        kept: "25h",
        keep: |_| Duration::hours(25),
        why: "the longest window that can be configured is a day",
    }],
    &[Rule {
        what: Dead::Identity(IdentityDead::KnownPlaces),
        table: "identity.known_place",
        since: "the last sign-in from there",
        kept: "retention.known_places",
        keep: |retention| retention.known_places,
        why: "a person is told of a browser that is new to us, and of no other",
    }],
    &[Rule {
        what: Dead::Identity(IdentityDead::Mail),
        table: "outbox.message",
        since: "its delivery, or when it was given up; what waits is kept",
        kept: "retention.mail",
        keep: |retention| retention.mail,
        why: "who asks whether she was told gets an answer",
    }],
    &[Rule {
        what: Dead::Identity(IdentityDead::Revocations),
        table: "revocation.published",
        since: "its position was given",
        kept: "1d",
        keep: |_| Duration::days(1),
        why: "a receiver that polls and was away is told what it missed; nothing is in force for \
              longer than the longest token",
    }],
    &[Rule {
        what: Dead::Identity(IdentityDead::Standings),
        table: "revocation.standing",
        since: "the verifier's last report",
        kept: "1d",
        keep: |_| Duration::days(1),
        why: "an operator sees which verifiers fell silent",
    }],
    &[Rule {
        what: Dead::Apps(AppsDead::Sessions),
        table: "apps.session",
        since: "its end by the issuer's clock",
        kept: "2d",
        keep: |_| Duration::days(2),
        why: "a tab left open is told why it is signed out",
    }],
    &[Rule {
        what: Dead::Apps(AppsDead::Logins),
        table: "apps.login",
        since: "the end of its waiting",
        kept: "2h",
        keep: |_| Duration::hours(2),
        why: "as identity.interaction",
    }],
];
