//! The platform's own console, with made-up data.

use super::apps::around;
use super::*;

fn inside(words: Words) -> Surroundings {
    Surroundings {
        apps: Vec::new(),
        ..around(words, App::Platform, Accent::Slate)
    }
}

fn grant(words: Words, number: u8, standing: ActingStanding) -> ActingRow {
    ActingRow {
        id: format!("0193b2c8-5d1f-7c3a-9b60-2f4be0a11d5{number}"),
        clinic: words.clinic.to_owned(),
        subject: "0193b2c8-77aa-7c3a-9b60-2f4be0a11d52".to_owned(),
        actor: words.person.to_owned(),
        reason: Some(words.text.to_owned()),
        ticket: "HELP-4711".to_owned(),
        may: "To look, and change nothing.",
        minutes: 15,
        requested_at: NOW - time::Duration::minutes(20),
        standing,
        opened: Some(vec![SupportOpened {
            what: "GET /api/v1/visits".to_owned(),
            times: 2,
            last_at: NOW - time::Duration::minutes(3),
        }]),
        is_own: true,
        enter_href: None,
    }
}

fn acting(words: Words) -> ActingPage {
    let ends_at = NOW + time::Duration::minutes(7);
    let by = NOW + time::Duration::hours(23);
    let at = NOW - time::Duration::minutes(70);
    let active = ActingRow {
        enter_href: Some("http://localhost:8080/impersonation/1/enter".to_owned()),
        ..grant(words, 1, ActingStanding::Active { ends_at })
    };
    let others = ActingRow {
        is_own: false,
        reason: None,
        opened: Some(Vec::new()),
        ..grant(words, 2, ActingStanding::Asked { by })
    };
    let over = ActingStanding::Over {
        at,
        was_active: true,
        why: "the person ended it",
    };
    ActingPage {
        around: inside(words),
        now: NOW,
        active: vec![active],
        waiting: vec![grant(words, 3, ActingStanding::Allowed { by }), others],
        over: vec![grant(words, 4, over)],
        form: Some(ActingForm {
            reason: words.text.to_owned(),
            ..ActingForm::default()
        }),
        oversees: true,
        notice: Some(ActingNotice::Started),
        refusal: None,
    }
}

fn fleet(words: Words) -> FleetPage {
    let verifier = |instance: &str, standing, is_stale| VerifierRow {
        client: words.text.to_owned(),
        instance: instance.to_owned(),
        standing,
        is_stale,
        version: "0.1.0".to_owned(),
        keys_age_seconds: 12,
        lag_milliseconds: (!is_stale).then_some(120),
        position: (!is_stale).then_some(48_211),
        reported_at: NOW - time::Duration::seconds(9),
    };
    FleetPage {
        around: inside(words),
        now: NOW,
        verifiers: vec![
            verifier("visits-1", "Keeps up", false),
            verifier("visits-2", "Silent", true),
        ],
        refusal: None,
    }
}

fn endings(words: Words) -> EndingsPage {
    let proof = EndingProof {
        at: NOW - time::Duration::minutes(2),
        sessions: 1204,
        families: 2210,
        codes: 3,
        left: 0,
    };
    let ending = |id: &str, proof: Option<EndingProof>| EndingRow {
        id: id.to_owned(),
        clinic: words.clinic.to_owned(),
        why: "An exercise",
        until: NOW - time::Duration::minutes(3),
        index: proof.map(|_| 4711),
        proof,
    };
    let key = |kid: &str, standing| KeyRow {
        kid: kid.to_owned(),
        alg: "ES256".to_owned(),
        standing,
        since: NOW - time::Duration::days(12),
    };
    EndingsPage {
        around: inside(words),
        endings: vec![ending("1", None), ending("2", Some(proof))],
        keys: vec![
            key("Zk3yq1n5hX0b7nM2v9WcT4rJ8sLd6fGaPeUoYiQtRw", "Signs"),
            key("b7nM2v9WcT4rJ8sLd6fGaPeUoYiQtRwZk3yq1n5hX0", "Signs next"),
        ],
        notice: Some(EndingNotice::Ordered),
        refusal: None,
    }
}

pub(super) fn platform(all: &mut Vec<Shown>, words: Words) {
    let home = |oversees| PlatformHomePage {
        around: inside(words),
        oversees,
        acting: Some((1, 2)),
        verifiers: Some((12, 1)),
    };
    show_in_app!(all, "platform", home(true));
    show_in_app!(all, "platform-support", home(false));
    show_in_app!(all, "acting", acting(words));
    let none = ActingPage {
        active: Vec::new(),
        waiting: Vec::new(),
        over: Vec::new(),
        form: None,
        notice: Some(ActingNotice::AllEnded),
        ..acting(words)
    };
    show_in_app!(all, "acting-none", none);
    let unfit = ActingPage {
        notice: Some(ActingNotice::Unfit),
        ..acting(words)
    };
    show_in_app!(all, "acting-unfit", unfit);
    show_in_app!(all, "fleet", fleet(words));
    let none = FleetPage {
        verifiers: Vec::new(),
        ..fleet(words)
    };
    show_in_app!(all, "fleet-none", none);
    show_in_app!(all, "endings", endings(words));
}
