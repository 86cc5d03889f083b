//! The relying parties, with made-up data.

use lanyard_verifier::{Banner, GrantId, Preset, SubjectId, SupportSession};
use uuid::Uuid;

use super::*;

pub(super) fn links(current: App) -> Vec<AppLink> {
    let link = |app| AppLink {
        app,
        href: "http://juniper.localhost:8082/".to_owned(),
        is_current: app == current,
    };
    let clinics = App::ALL.into_iter().filter(|app| *app != App::Platform);
    clinics.map(link).collect()
}

fn person(words: Words) -> Person {
    Person {
        name: words.person.to_owned(),
        roles: "Patient".to_owned(),
        account_href: "http://localhost:8080/account".to_owned(),
    }
}

/// The same with support at work.
pub(super) fn acted(words: Words, app: App, accent: Accent) -> Surroundings {
    let session = SupportSession {
        actor: SubjectId::from_uuid(Uuid::from_u128(1)),
        subject: SubjectId::from_uuid(Uuid::from_u128(2)),
        grant: GrantId::from_uuid(Uuid::from_u128(3)),
        preset: Preset::ReadOnly,
        until: NOW + time::Duration::minutes(14),
    };
    let banner = Banner::of_session(session, paths::APP_SIGN_OUT, NOW);
    let banner = banner
        .names(words.text, words.person)
        .ends_by_form("csrf-value");
    let mut around = around(words, app, accent);
    around.frame.acting = Some(banner.into());
    around
}

pub(super) fn around(words: Words, app: App, accent: Accent) -> Surroundings {
    Surroundings {
        frame: live(words, app, accent),
        csrf: "csrf-value".into(),
        person: person(words),
        apps: links(app),
    }
}

fn visits_home(words: Words, app: App, accent: Accent) -> VisitsHomePage {
    let visit = |hours, with: &str, modality: &str, state: &str| VisitRow {
        starts_at: NOW + time::Duration::hours(hours),
        with: with.to_owned(),
        modality: modality.to_owned(),
        state: state.to_owned(),
        reason: words.text.to_owned(),
    };
    VisitsHomePage {
        around: around(words, app, accent),
        app,
        announcement: (app == App::Patient).then(|| words.text.to_owned()),
        visits: vec![
            visit(6, "Dr. Miriam Okafor", "Video", "Scheduled"),
            visit(30, words.person, "Phone", words.text),
            visit(-80, "Dr. Miriam Okafor", "Video", "Done"),
        ],
        opens_in_emergency: app == App::Clinician,
        refusal: None,
    }
}

pub(super) fn apps(all: &mut Vec<Shown>, words: Words) {
    for (name, app, accent) in [
        ("welcome-patient", App::Patient, Accent::Juniper),
        ("welcome-clinician", App::Clinician, Accent::Harbor),
        ("welcome-console", App::Console, Accent::Clay),
        ("welcome-platform", App::Platform, Accent::Slate),
    ] {
        let clinic = Some(clinic(words.clinic, accent));
        let frame = Frame {
            demo_banner: true,
            clinic,
            ..frame(words, app.name())
        };
        show!(all, name, WelcomePage { frame, app });
    }
    show_in_app!(
        all,
        "visits-patient",
        visits_home(words, App::Patient, Accent::Juniper)
    );
    let acting = VisitsHomePage {
        around: acted(words, App::Patient, Accent::Juniper),
        ..visits_home(words, App::Patient, Accent::Juniper)
    };
    show_in_app!(all, "visits-acting", acting);
    show_in_app!(
        all,
        "visits-clinician",
        visits_home(words, App::Clinician, Accent::Rose)
    );
    let none = VisitsHomePage {
        visits: vec![],
        ..visits_home(words, App::Patient, Accent::Plum)
    };
    show_in_app!(all, "visits-none", none);
    let refusal = |status, code: &str| Refusal {
        status,
        code: code.to_owned(),
    };
    let mut refused = visits_home(words, App::Clinician, Accent::Clay);
    refused.refusal = Some(refusal(403, "insufficient_scope"));
    show_in_app!(all, "visits-refused", refused);
    show_in_app!(all, "console", console(words));
    show_in_app!(
        all,
        "refusal",
        RefusalPage {
            around: around(words, App::Patient, Accent::Slate),
            refusal: refusal(401, words.text),
        }
    );
}

fn console(words: Words) -> ConsoleHomePage {
    let fact = |label, value: &str| Fact {
        label,
        value: value.to_owned(),
    };
    let member = |name: &str, roles: &str, status: &str| MemberRow {
        name: name.to_owned(),
        roles: roles.to_owned(),
        status: status.to_owned(),
    };
    ConsoleHomePage {
        around: around(words, App::Console, Accent::Clay),
        facts: vec![
            fact("Address", "juniper.localhost"),
            fact("Sign-out when away", "after 15 minutes"),
            fact("Sign-in again", "after 12 hours"),
            fact("Members", words.text),
        ],
        members: vec![
            member(words.person, "Patient", "Active"),
            member("Dr. Miriam Okafor", "Physician and clinic admin", "Active"),
            member("Tomas Lindqvist", words.text, "Suspended"),
        ],
        announcement: Some(words.text.to_owned()),
        draft: Some(words.text.to_owned()),
        notice: Some(AnnouncementNotice::Kept),
        reads_log: true,
        emergencies: Some(2),
        support: Some((1, 1)),
        refusal: None,
    }
}
