//! Where support goes in as somebody.

use super::*;

pub(super) fn enter(all: &mut Vec<Shown>, words: Words) {
    let frame = |clinic: bool| Frame {
        clinic: clinic.then(|| super::clinic(words.clinic, Accent::Juniper)),
        demo_banner: false,
        ..live(words, App::Patient, Accent::Juniper)
    };
    let app = |client: &str, name: &str, host: &str| EnterApp {
        client: client.to_owned(),
        name: name.to_owned(),
        host: host.to_owned(),
    };
    let page = |enterable: Option<Enterable>| EnterPage {
        frame: frame(enterable.is_some()),
        csrf: "csrf-value".into(),
        grant: "1f2e".to_owned(),
        back_href: "http://localhost:8084/support".to_owned(),
        enterable,
    };
    let open = |apps| Enterable {
        person: words.person.to_owned(),
        clinic: words.clinic.to_owned(),
        preset: "read-only",
        reason: words.text.to_owned(),
        ticket: "HELP-4711".to_owned(),
        ends_at: NOW + time::Duration::minutes(14),
        apps,
    };
    let apps = vec![
        app("patient", "Patient portal", "juniper.patient.example"),
        app("desk", words.text, "desk.example"),
    ];
    show!(all, "enter", page(Some(open(apps))));
    show!(all, "enter-no-apps", page(Some(open(Vec::new()))));
    show!(all, "enter-over", page(None));
}
