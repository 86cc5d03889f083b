//! What is on the record, with made-up data.

use super::apps::around;
use super::*;

fn page(words: Words, filter: LogFilter, entries: Vec<LogRow>) -> LogPage {
    LogPage {
        around: around(words, App::Console, Accent::Clay),
        app: App::Console,
        filter,
        people: vec![
            ("0193b2c8-5d1f".to_owned(), words.person.to_owned()),
            ("0193b2c8-77aa".to_owned(), "Dr. Miriam Okafor".to_owned()),
        ],
        entries,
        standing: Some(LogStanding {
            size: 48_211,
            oldest_at: Some(NOW - time::Duration::days(410)),
            retention_years: 6,
            signed: Some((48_200, NOW - time::Duration::seconds(12))),
            is_anchored: true,
        }),
        older_href: Some("/log?before=48209".to_owned()),
        newest_href: "/log?".to_owned(),
        is_unknown_clinic: false,
        is_newest: true,
        repeated: vec![("type", words.text.to_owned())],
        verdict: None,
        refusal: None,
    }
}

fn entries(words: Words) -> Vec<LogRow> {
    let row = |index, event: &str, who: &str, actor: Option<&str>| LogRow {
        index,
        recorded_at: NOW - time::Duration::minutes(48_211_i64 - index.cast_signed()),
        event: event.to_owned(),
        who: who.to_owned(),
        actor: actor.map(str::to_owned),
        trace: Some("0193b2c8-5d1f-7c3a-9b60-2f4be0a11d52".to_owned()),
        detail: vec![
            ("client_id".to_owned(), "clinician-portal".to_owned()),
            ("reason".to_owned(), words.text.to_owned()),
        ],
    };
    vec![
        row(48_210, "visit.listed", words.person, Some("Support")),
        row(48_209, "session.signed_in", "Dr. Miriam Okafor", None),
    ]
}

fn accesses(words: Words, refusal: Option<Refusal>) -> AccessesPage {
    let access = |minutes, who: &str| AccessRow {
        at: NOW - time::Duration::minutes(minutes),
        who: who.to_owned(),
        what: "Your list of visits".to_owned(),
    };
    AccessesPage {
        around: around(words, App::Patient, Accent::Juniper),
        accesses: vec![
            access(2, "You"),
            access(55, words.text),
            access(900, "Support, as Dr. Miriam Okafor"),
        ],
        older_href: Some("/accesses?before=12".to_owned()),
        refusal,
    }
}

fn reviews(words: Words, notice: Option<ReviewNotice>, count: u64) -> ReviewsPage {
    let row = |index: u64| ReviewRow {
        index,
        recorded_at: NOW - time::Duration::hours(20 - index.cast_signed()),
        event: "refresh.reuse_detected".to_owned(),
        why: "A sign-in may have been stolen",
        who: words.person.to_owned(),
    };
    ReviewsPage {
        around: around(words, App::Console, Accent::Clay),
        app: App::Console,
        reviews: (0..count).map(row).collect(),
        later_href: (count > 0).then(|| "/reviews?after=1".to_owned()),
        notice,
        refusal: None,
    }
}

pub(super) fn log(all: &mut Vec<Shown>, words: Words) {
    let any = LogFilter::default();
    let looked_for = LogFilter {
        person: "0193b2c8-77aa".to_owned(),
        event: "visit.*".to_owned(),
        actor: words.text.to_owned(),
        trace: String::new(),
        clinic: String::new(),
    };
    show_in_app!(all, "log", page(words, any.clone(), entries(words)));
    show_in_app!(
        all,
        "log-filtered",
        page(words, looked_for.clone(), entries(words))
    );
    show_in_app!(all, "log-nothing", page(words, looked_for, Vec::new()));
    let good = LogVerdict::Good(LogProof {
        size: 48_200,
        key: "id.example.com/audit+0af3c2d1+AYzKmN2bV5c8d7E6fGh3JkLmNpQrStUvWxYz1234".to_owned(),
        covered: 48,
        uncovered: 2,
        since: Some(48_000),
        proven: "48200:x".to_owned(),
    });
    for (name, verdict) in [
        ("log-verified", good),
        ("log-forked", LogVerdict::Bad(LogFault::Forked(48_000))),
        ("log-unsigned", LogVerdict::Bad(LogFault::Unsigned)),
    ] {
        let mut checked = page(words, any.clone(), entries(words));
        checked.verdict = Some(verdict);
        show_in_app!(all, name, checked);
    }
    let mut platforms = page(words, any.clone(), entries(words));
    platforms.app = App::Platform;
    platforms.people = Vec::new();
    show_in_app!(all, "log-platform", platforms);
    let mut refused = page(words, any, Vec::new());
    refused.standing = None;
    refused.refusal = Some(Refusal {
        status: 403,
        code: "insufficient_scope".to_owned(),
    });
    show_in_app!(all, "log-refused", refused);
    show_in_app!(all, "accesses", accesses(words, None));
    let none = AccessesPage {
        accesses: Vec::new(),
        ..accesses(words, None)
    };
    show_in_app!(all, "accesses-none", none);
    show_in_app!(
        all,
        "reviews",
        reviews(words, Some(ReviewNotice::Signed), 2)
    );
    show_in_app!(
        all,
        "reviews-own",
        reviews(words, Some(ReviewNotice::OwnDeed), 1)
    );
    show_in_app!(all, "reviews-none", reviews(words, None, 0));
}
