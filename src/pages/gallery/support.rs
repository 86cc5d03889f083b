//! The page of support's access.

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
        vec![what("GET /api/v1/visits", 3), what("GET /api/v1/me", 1)]
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
}
