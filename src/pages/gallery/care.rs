//! Emergency access and proxies, with made-up data.

use super::apps::around;
use super::*;

fn emergency(words: Words, sought: bool) -> EmergencyPage {
    EmergencyPage {
        around: around(words, App::Clinician, Accent::Rose),
        notice: sought.then_some(DeedNotice::NotConfirmed),
        open: vec![OpenRow {
            id: "0193b2c8-77aa".to_owned(),
            patient: words.person.to_owned(),
            visits_href: "/emergency/visits?id=0193b2c8-77aa".to_owned(),
            reason: EMERGENCY_REASONS[0].1,
            until: NOW + time::Duration::HOUR,
        }],
        sought: sought.then(|| SoughtPatients {
            name: words.text.to_owned(),
            found: vec![
                ("0193b2c8-77ab".to_owned(), words.person.to_owned()),
                ("0193b2c8-77ac".to_owned(), "Ada Quill".to_owned()),
            ],
        }),
        reason: EMERGENCY_REASONS[1].0.to_owned(),
        why: words.text.to_owned(),
        refusal: None,
    }
}

fn record(words: Words, app: App) -> RecordPage {
    let visit = |hours, state: &str| VisitRow {
        starts_at: NOW + time::Duration::hours(hours),
        with: "Dr. Miriam Okafor".to_owned(),
        modality: "Video".to_owned(),
        state: state.to_owned(),
        reason: words.text.to_owned(),
    };
    RecordPage {
        around: around(words, app, Accent::Juniper),
        banner: format!(
            "You are looking at {}'s record as her parent. She sees that you did.",
            words.person
        ),
        back_href: paths::APP_PROXIES,
        back: "Back to the people you act for",
        visits: vec![visit(6, "Scheduled"), visit(-80, "Done")],
        refusal: None,
    }
}

fn emergencies(words: Words, count: u64) -> EmergenciesPage {
    let row = |index: u64| WaitingRow {
        id: format!("0193b2c8-77a{index}"),
        clinician: words.person.to_owned(),
        patient: "Ada Quill".to_owned(),
        reason: EMERGENCY_REASONS[3].1,
        why: words.text.to_owned(),
        opened_at: NOW - time::Duration::HOUR,
        ended_at: NOW,
        is_over: index == 0,
    };
    EmergenciesPage {
        around: around(words, App::Console, Accent::Clay),
        notice: (count > 0).then_some(DeedNotice::Done),
        waiting: (0..count).map(row).collect(),
        refusal: None,
    }
}

fn proxies(words: Words, count: u64) -> ProxiesPage {
    let row = |index: u64, may_end| ProxyRow {
        id: format!("0193b2c8-77b{index}"),
        name: words.person.to_owned(),
        basis: BASES[3].1,
        begins_at: (index == 1).then_some(NOW + time::Duration::HOUR),
        ends_at: Some(NOW + time::Duration::hours(48)),
        visits_href: "/proxies/visits?id=0193b2c8-77b0".to_owned(),
        may_end,
    };
    ProxiesPage {
        around: around(words, App::Patient, Accent::Juniper),
        notice: (count > 0).then_some(DeedNotice::NotHers),
        number: "5c1f8d0e-9a44-4f0e-8f0b-0f6f2f9b1c11".to_owned(),
        typed: String::new(),
        until: ("2026-03-03".to_owned(), "2028-03-01".to_owned()),
        you_act_for: (0..count).map(|index| row(index, true)).collect(),
        act_for_you: (2..2 + count).map(|index| row(index, index == 2)).collect(),
        refusal: None,
    }
}

fn delegations(words: Words, count: u64) -> DelegationsPage {
    let row = |index: u64| DelegationRow {
        id: format!("0193b2c8-77c{index}"),
        patient: "Ada Quill".to_owned(),
        proxy: words.person.to_owned(),
        basis: BASES[0].1,
        law: "45 CFR 164.502(g)(3)".to_owned(),
        document: if index == 0 { "CUSTODY/2026-0042" } else { "" }.to_owned(),
        ends_at: Some(NOW + time::Duration::hours(48)),
        ended_at: (index == 1).then_some(NOW),
    };
    let person = |name: &str| ("0193b2c8-77d0".to_owned(), name.to_owned());
    DelegationsPage {
        around: around(words, App::Console, Accent::Clay),
        notice: (count > 0).then_some(DeedNotice::NotNow),
        delegations: (0..count).map(row).collect(),
        patients: vec![person("Ada Quill"), person(words.person)],
        people: vec![person("Ada Quill"), person(words.person)],
        may_write: true,
        refusal: None,
    }
}

pub(super) fn care(all: &mut Vec<Shown>, words: Words) {
    show_in_app!(all, "emergency", emergency(words, true));
    let first = EmergencyPage {
        open: Vec::new(),
        ..emergency(words, false)
    };
    show_in_app!(all, "emergency-first", first);
    let nobody = EmergencyPage {
        sought: Some(SoughtPatients {
            name: words.text.to_owned(),
            found: Vec::new(),
        }),
        ..emergency(words, true)
    };
    show_in_app!(all, "emergency-nobody", nobody);
    show_in_app!(all, "record", record(words, App::Patient));
    show_in_app!(all, "emergencies", emergencies(words, 2));
    show_in_app!(all, "emergencies-none", emergencies(words, 0));
    show_in_app!(all, "proxies", proxies(words, 2));
    show_in_app!(all, "proxies-none", proxies(words, 0));
    show_in_app!(all, "delegations", delegations(words, 2));
    show_in_app!(all, "delegations-none", delegations(words, 0));
}
