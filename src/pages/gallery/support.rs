//! The page of support's access.

use super::apps::around;
use super::*;

pub(super) fn support(all: &mut Vec<Shown>, words: Words) {
    let row = |id: &str, standing, opened| SupportRow {
        id: id.to_owned(),
        slug: "juniper".to_owned(),
        clinic: clinic(words.clinic, Accent::Juniper),
        actor: words.person.to_owned(),
        reason: words.text.to_owned(),
        ticket: "HELP-4711".to_owned(),
        may: "It may look, and change nothing.",
        minutes: 15,
        requested_at: NOW - time::Duration::minutes(20),
        standing,
        opened,
    };
    let opened = || {
        let what = |what: &str, times| SupportOpened {
            what: what.to_owned(),
            times,
            last_at: NOW - time::Duration::minutes(2),
        };
        vec![
            what("Your visits (GET /api/v1/visits)", 3),
            what("GET /v1/results/{id}", 1),
        ]
    };
    let ends_at = NOW + time::Duration::minutes(9);
    let over = |was_active, why| SupportStanding::Over {
        at: NOW - time::Duration::days(3),
        was_active,
        why,
    };
    let page = |rows, notice| SupportPage {
        frame: live(words, App::Patient, Accent::Juniper),
        csrf: "csrf-value".into(),
        now: NOW,
        rows,
        notice,
    };
    show!(
        all,
        "support",
        page(
            vec![
                row("g1", SupportStanding::AsksHer, Vec::new()),
                row("g2", SupportStanding::Active { ends_at }, opened()),
                row("g3", SupportStanding::AsksClinic, Vec::new()),
                row("g4", SupportStanding::Allowed, Vec::new()),
                row("g5", over(true, "you ended it"), opened()),
                row("g6", over(false, "nobody answered"), Vec::new()),
            ],
            None
        )
    );
    let ended = vec![row("g2", over(true, "you ended it"), opened())];
    show!(
        all,
        "support-ended",
        page(ended, Some(SupportNotice::Ended))
    );
    show!(all, "support-none", page(Vec::new(), None));
    at_a_clinic(all, words);
}

fn at_a_clinic(all: &mut Vec<Shown>, words: Words) {
    let row = |id: &str, standing, asks_clinic| ClinicSupportRow {
        grant: ActingRow {
            id: id.to_owned(),
            clinic: String::new(),
            subject: words.person.to_owned(),
            actor: "Sam Porter".to_owned(),
            reason: Some(words.text.to_owned()),
            ticket: "HELP-4711".to_owned(),
            may: "To look, and change nothing.",
            minutes: 15,
            requested_at: NOW - time::Duration::minutes(20),
            standing,
            opened: Some(vec![SupportOpened {
                what: "GET /api/v1/visits".to_owned(),
                times: 3,
                last_at: NOW - time::Duration::minutes(2),
            }]),
            is_own: false,
            enter_href: None,
        },
        asks_clinic,
    };
    let by = NOW + time::Duration::HOUR;
    let over = ActingStanding::Over {
        at: NOW - time::Duration::days(3),
        was_active: true,
        why: "the clinic ended it",
    };
    let page = |open, over, notice| ClinicSupportPage {
        around: around(words, App::Console, Accent::Juniper),
        now: NOW,
        notice,
        open,
        over,
        may_answer: true,
        refusal: None,
    };
    let open = vec![
        row("g1", ActingStanding::Asked { by }, true),
        row("g2", ActingStanding::Active { ends_at: by }, false),
        row("g3", ActingStanding::Allowed { by }, false),
    ];
    let shown = page(open, vec![row("g4", over, false)], Some(DeedNotice::Done));
    show_in_app!(all, "clinic-support", shown);
    show_in_app!(
        all,
        "clinic-support-none",
        page(Vec::new(), Vec::new(), None)
    );
}
