//! The judge is judged: a run in which nothing was lost has no findings, and each way of losing
//! something has the finding of its rule.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::checker::check;
use super::deployment::login;
use super::journal::{Deed, Entry, Log, Outcome, Tokens};
use super::tables::{Event, FamilyRow, SessionRow, Tables};

const FAMILY: Uuid = Uuid::from_u128(1);
const SESSION: Uuid = Uuid::from_u128(2);
const SID: Uuid = Uuid::from_u128(3);
const STRANGER: Uuid = Uuid::from_u128(9);

fn tokens(generation: u32) -> Outcome {
    Outcome::Done(Some(Box::new(Tokens {
        refresh: format!("token {generation}"),
        access: String::new(),
        id_token: String::new(),
        family: FAMILY,
        generation,
        sid: SID,
        kids: BTreeSet::from(["a-key".to_owned()]),
    })))
}

fn refresh(generation: u32) -> Deed {
    Deed::Refresh {
        family: FAMILY,
        sid: SID,
        generation,
    }
}

/// A sign-in, a code, a refresh whose first answer was lost, another password, a logout, and a
/// refusal after it.
fn log() -> Log {
    let deeds = [
        (
            Deed::SignIn {
                person: 0,
                password: 0,
            },
            Outcome::Done(None),
        ),
        (Deed::Redeem { person: 0 }, tokens(0)),
        (refresh(0), Outcome::Unknown),
        (refresh(0), tokens(1)),
        (refresh(1), tokens(2)),
        (
            Deed::ChangePassword { person: 0, from: 0 },
            Outcome::Done(None),
        ),
        (Deed::Logout { sid: SID }, Outcome::Done(None)),
        (refresh(2), Outcome::Refused("invalid_grant".to_owned())),
    ];
    let entries = deeds
        .into_iter()
        .enumerate()
        .map(|(n, (deed, outcome))| Entry {
            sent: n as u64 * 2,
            answered: n as u64 * 2 + 1,
            deed,
            outcome,
        });
    Log {
        entries: entries.collect(),
        seen: Vec::new(),
    }
}

fn event(kind: &str, detail: Value) -> Event {
    Event {
        kind: kind.to_owned(),
        login: Some(login(0)),
        detail,
    }
}

fn tables() -> Tables {
    let rotated = |generation: u32| {
        event(
            "refresh.rotated",
            json!({ "family": FAMILY, "generation": generation }),
        )
    };
    Tables {
        families: vec![FamilyRow {
            family: FAMILY,
            current: 2,
            issued: vec![0, 1, 2],
            end_reason: None,
        }],
        sessions: vec![SessionRow {
            session: SESSION,
            login: login(0),
            sids: vec![SID],
            end_reason: Some("signed_out".to_owned()),
        }],
        epochs: BTreeMap::from([(login(0), 1)]),
        events: vec![
            event(
                "session.signed_in",
                json!({ "session": SESSION, "again": true }),
            ),
            event("session.signed_in", json!({ "session": SESSION })),
            event("code.redeemed", json!({ "family": FAMILY })),
            rotated(0),
            event(
                "refresh.retried",
                json!({ "family": FAMILY, "generation": 0 }),
            ),
            rotated(1),
            event("password.changed", json!({ "session": SESSION })),
            event("session.ended", json!({ "session": SESSION })),
        ],
        kids: BTreeSet::from(["a-key".to_owned()]),
    }
}

#[test]
fn where_nothing_was_lost_nothing_is_found() {
    assert_eq!(check(&log(), &tables()), Vec::<String>::new());
}

type Doctor = (&'static str, fn(&mut Log, &mut Tables));

/// What is done to log and tables, and the rule that must say so.
const LOSSES: &[Doctor] = &[
    ("acknowledged", |_, tables| tables.families.clear()),
    ("acknowledged", |_, tables| {
        tables.families[0].issued.pop();
    }),
    ("acknowledged", |_, tables| tables.sessions[0].sids.clear()),
    ("acknowledged", |_, tables| {
        tables.sessions[0].end_reason = None;
    }),
    ("one successor", |log, _| {
        let Outcome::Done(Some(tokens)) = &mut log.entries[4].outcome else {
            panic!("a rotation");
        };
        tokens.generation = 1;
    }),
    ("whole", |_, tables| tables.families[0].current = 1),
    ("whole", |_, tables| tables.families[0].current = 3),
    ("whole", |_, tables| {
        let mut stranger = tables.families[0].clone();
        stranger.family = STRANGER;
        tables.families.push(stranger);
    }),
    ("whole", |_, tables| {
        *tables.epochs.get_mut(&login(0)).unwrap() = 0;
    }),
    ("whole", |_, tables| {
        *tables.epochs.get_mut(&login(0)).unwrap() = 2;
    }),
    ("whole", |_, tables| {
        let mut stranger = tables.sessions[0].clone();
        stranger.session = STRANGER;
        tables.sessions.push(stranger);
    }),
    ("leaf", |_, tables| tables.families[0].issued.push(3)),
    ("leaf", |_, tables| {
        tables.families[0].issued.remove(1);
    }),
    ("effect and event", |_, tables| {
        tables.events.remove(3);
    }),
    ("effect and event", |_, tables| {
        tables.events.push(tables.events[3].clone());
    }),
    ("effect and event", |_, tables| {
        tables.events.remove(0);
    }),
    ("effect and event", |_, tables| {
        tables.events.remove(1);
    }),
    ("effect and event", |_, tables| {
        tables.events.remove(2);
    }),
    ("effect and event", |_, tables| {
        tables.events.remove(6);
    }),
    ("effect and event", |_, tables| {
        tables.events.remove(7);
    }),
    ("effect and event", |_, tables| {
        tables.events.push(tables.events[7].clone());
    }),
    ("event and effect", |_, tables| {
        tables
            .events
            .push(event("refresh.rotated", json!({ "family": STRANGER })));
    }),
    ("event and effect", |_, tables| {
        tables
            .events
            .push(event("session.ended", json!({ "session": STRANGER })));
    }),
    ("event and effect", |_, tables| {
        tables.events.push(tables.events[4].clone());
    }),
    ("event and effect", |_, tables| {
        tables
            .events
            .push(event("refresh.reuse_detected", json!({ "family": FAMILY })));
    }),
    ("honest", |log, _| {
        log.entries[4].outcome = Outcome::Refused("invalid_grant".to_owned());
    }),
    ("honest", |log, _| {
        log.entries[0].outcome = Outcome::Refused("403".to_owned());
    }),
    ("monotonic", |log, _| log.entries[7].outcome = tokens(2)),
    ("monotonic", |log, _| {
        let mut again = log.entries[0].clone();
        (again.sent, again.answered) = (90, 91);
        log.entries.push(again);
    }),
    ("keys", |_, tables| tables.kids.clear()),
    ("seen", |log, _| log.seen.push("an answer 500".to_owned())),
];

#[test]
fn whatever_is_lost_is_found_by_its_rule() {
    for (number, (rule, doctor)) in LOSSES.iter().enumerate() {
        let (mut log, mut tables) = (log(), tables());
        doctor(&mut log, &mut tables);
        let findings = check(&log, &tables);
        let is_found = findings
            .iter()
            .any(|found| found.starts_with(&format!("{rule}: ")));
        assert!(is_found, "loss {number}, {rule}: {findings:?}");
    }
}

/// What was in doubt may have happened or not: neither is a finding.
#[test]
fn what_is_in_doubt_may_have_happened() {
    for happened in [0, 1] {
        let (mut log, mut tables) = (log(), tables());
        log.entries[5].outcome = Outcome::Unknown;
        tables.epochs.insert(login(0), happened);
        if happened == 0 {
            tables.events.remove(6);
            tables.events.remove(0);
        }
        assert_eq!(check(&log, &tables), Vec::<String>::new());
    }
    let (mut log, tables) = (log(), tables());
    log.entries[4].outcome = Outcome::Unknown;
    log.entries.remove(7);
    assert_eq!(check(&log, &tables), Vec::<String>::new());
}
