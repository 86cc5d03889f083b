//! Every page in every state, with made-up data: what the tests of this folder walk over. One of
//! them leaves the gallery in `target/gallery`, to be looked at and held against axe.

mod apps;
mod care;
mod consent;
mod demo;
mod enter;
mod factor;
mod log;
mod platform;
mod recovery;
mod support;

use time::OffsetDateTime;
use time::macros::datetime;

use super::*;

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-23 03:12:00 UTC);

/// A page of the gallery.
pub(super) struct Shown {
    /// File name without ending.
    pub(super) name: &'static str,
    pub(super) sentence: &'static str,
    pub(super) html: String,
    /// Whether a clinic is known on it.
    pub(super) has_clinic: bool,
}

/// What people and clinics wrote, so that a test can put hostile words in their place.
#[derive(Clone, Copy)]
pub(super) struct Words {
    pub(super) clinic: &'static str,
    pub(super) person: &'static str,
    pub(super) login: &'static str,
    pub(super) text: &'static str,
}

pub(super) const USUAL: Words = Words {
    clinic: "Juniper Family Health",
    person: "Ana Ortiz",
    login: "ana.ortiz@juniper.example",
    text: "Follow-up",
};

fn shown(name: &'static str, frame: &Frame, page: &impl Page) -> Shown {
    let has_clinic = frame.clinic.is_some();
    Shown {
        name,
        sentence: page.sentence(),
        html: page.html(),
        has_clinic,
    }
}

/// Shows a page under a name.
macro_rules! show {
    ($into:ident, $name:expr, $page:expr) => {{
        let page = $page;
        $into.push($crate::pages::gallery::shown($name, &page.frame, &page));
    }};
}
use show;

/// The same for a page of an app's.
macro_rules! show_in_app {
    ($into:ident, $name:expr, $page:expr) => {{
        let page = $page;
        $into.push($crate::pages::gallery::shown(
            $name,
            &page.around.frame,
            &page,
        ));
    }};
}
use show_in_app;

/// Every page in every state.
pub(super) fn gallery(words: Words) -> Vec<Shown> {
    let mut all = Vec::new();
    sign_in(&mut all, words);
    recovery::recovery(&mut all, words);
    consent::consent(&mut all, words);
    account(&mut all, words);
    factor::factors(&mut all, words);
    support::support(&mut all, words);
    enter::enter(&mut all, words);
    notices(&mut all, words);
    apps::apps(&mut all, words);
    log::log(&mut all, words);
    care::care(&mut all, words);
    platform::platform(&mut all, words);
    demo::demo(&mut all, words);
    all
}

fn clinic(name: &str, accent: Accent) -> Clinic {
    Clinic {
        name: name.to_owned(),
        accent,
    }
}

fn frame(words: Words, product: &'static str) -> Frame {
    Frame {
        clinic: Some(clinic(words.clinic, Accent::Juniper)),
        ..Frame::new(product, "0193b2c8-5d1f")
    }
}

fn live(words: Words, app: App, accent: Accent) -> Frame {
    Frame {
        clinic: Some(clinic(words.clinic, accent)),
        demo_banner: true,
        session: Some(SessionFacts {
            server_now: NOW,
            idle_ends_at: NOW + time::Duration::minutes(15),
            session_ends_at: NOW + time::Duration::hours(12),
            idle_limit_seconds: 900,
            csrf: "csrf-value".into(),
            sign_out_path: paths::APP_SIGN_OUT,
        }),
        ..Frame::new(app.name(), "0193b2c8-5d1f")
    }
}

fn identifier(words: Words, problem: Option<IdentifierProblem>) -> IdentifierPage {
    IdentifierPage {
        frame: frame(words, "Lanyard"),
        csrf: "csrf-value".into(),
        flow: "flow-value".into(),
        login: if problem.is_some() {
            words.text.to_owned()
        } else {
            String::new()
        },
        client_name: Some("Patient portal".to_owned()),
        way_back: Some(WayBack::App("Patient portal".to_owned())),
        problem,
    }
}

fn password(words: Words, problem: Option<PasswordProblem>) -> PasswordPage {
    PasswordPage {
        frame: frame(words, "Lanyard"),
        csrf: "csrf-value".into(),
        flow: "flow&value=1".into(),
        login: words.login.to_owned(),
        can_recover: problem.is_none(),
        way_back: problem.is_none().then_some(WayBack::Factors),
        problem,
    }
}

fn sign_in(all: &mut Vec<Shown>, words: Words) {
    show!(all, "identifier", identifier(words, None));
    show!(
        all,
        "identifier-malformed",
        identifier(words, Some(IdentifierProblem::Malformed))
    );
    show!(
        all,
        "identifier-missing",
        identifier(words, Some(IdentifierProblem::Missing))
    );
    show!(all, "password", password(words, None));
    show!(
        all,
        "password-missing",
        password(words, Some(PasswordProblem::Missing))
    );
    show!(
        all,
        "password-mismatch",
        password(words, Some(PasswordProblem::Mismatch))
    );
    let throttled = PasswordProblem::Throttled {
        retry_after_seconds: 40,
    };
    show!(all, "password-throttled", password(words, Some(throttled)));
    show!(
        all,
        "password-busy",
        password(words, Some(PasswordProblem::Busy))
    );
    let choice = |slug: &str, name: &str, accent, roles: &str| ClinicChoice {
        slug: slug.to_owned(),
        clinic: clinic(name, accent),
        roles: roles.to_owned(),
    };
    show!(
        all,
        "chooser",
        ChooserPage {
            frame: Frame::new("Lanyard", "0193b2c8-5d1f"),
            csrf: "csrf-value".into(),
            flow: "flow-value".into(),
            login: words.login.to_owned(),
            clinics: vec![
                choice(
                    "harbor",
                    "Harbor Street Clinic",
                    Accent::Harbor,
                    "Physician"
                ),
                choice("juniper", words.clinic, Accent::Juniper, "Patient"),
                choice(
                    "clay",
                    "Clay County Telehealth Cooperative",
                    Accent::Clay,
                    words.text
                ),
                choice("plum", "Plum Pediatrics", Accent::Plum, "Clinic admin"),
                choice("rose", "Rose Women's Health", Accent::Rose, "Nurse"),
            ],
        }
    );
}

fn account(all: &mut Vec<Shown>, words: Words) {
    let session = |id: &str, device: &str, minutes, is_this_device| SessionRow {
        id: id.to_owned(),
        device: device.to_owned(),
        started_at: NOW - time::Duration::minutes(minutes + 90),
        last_active_at: NOW - time::Duration::minutes(minutes),
        is_this_device,
    };
    let page = |notice: Option<AccountNotice>, accent| AccountPage {
        frame: Frame {
            demo_banner: false,
            ..live(words, App::Patient, accent)
        },
        csrf: "csrf-value".into(),
        login: words.login.to_owned(),
        now: NOW,
        sessions: vec![
            session("a1", "Firefox on Windows", 0, true),
            session("b2", words.text, 44, false),
            session("c3", "Chrome on Android", 60 * 24 * 3, false),
        ],
        devices: u32::from(notice.is_none()),
        codes_left: 9,
        memberships: vec![
            MembershipRow {
                clinic: clinic(words.clinic, Accent::Juniper),
                roles: "Patient".to_owned(),
                apps: vec![ClinicApp {
                    name: "Patient portal",
                    href: "https://juniper.patient.example/".to_owned(),
                }],
            },
            MembershipRow {
                clinic: clinic("Harbor Street Clinic", Accent::Harbor),
                roles: words.text.to_owned(),
                apps: Vec::new(),
            },
        ],
        apps: consent::apps(words, notice),
        support_acts: notice.is_some(),
        support_asks: true,
        notice,
    };
    show!(all, "account", page(None, Accent::Juniper));
    show!(
        all,
        "account-ended",
        page(Some(AccountNotice::SessionEnded), Accent::Harbor)
    );
    show!(
        all,
        "account-changed",
        page(Some(AccountNotice::PasswordChanged), Accent::Plum)
    );
    let change = |problem| ChangePasswordPage {
        frame: frame(words, "Lanyard"),
        csrf: "csrf-value".into(),
        login: words.login.to_owned(),
        problem,
    };
    show!(all, "change-password", change(None));
    show!(
        all,
        "change-password-short",
        change(Some(ChangePasswordProblem::TooShort))
    );
    let mismatch = ChangePasswordProblem::CurrentMismatch;
    show!(all, "change-password-mismatch", change(Some(mismatch)));
}

fn notices(all: &mut Vec<Shown>, words: Words) {
    show!(
        all,
        "error",
        ErrorPage {
            frame: Frame::new("Lanyard", "0193b2c8-5d1f-7c3a-9b60-2f4be0a11d52"),
            status: 400,
            status_word: "invalid_request",
            happened: "The app sent us something that we could not use, so we did not go on.",
            advice: "Go back to the app and start again from there.",
            way_on: Some(Link {
                href: paths::ACCOUNT.to_owned(),
                words: "Go to your account"
            }),
        }
    );
    show!(
        all,
        "logout-confirm",
        LogoutConfirmPage {
            frame: frame(words, "Lanyard"),
            csrf: "csrf-value".into(),
            logout: "logout-value".into(),
            login: words.login.to_owned(),
            client_name: Some(words.text.to_owned()),
            stay_href: paths::ACCOUNT.to_owned(),
        }
    );
    let ended = |reason, accent, sign_in_href: Option<&str>| SignedOutPage {
        frame: Frame {
            clinic: Some(clinic(words.clinic, accent)),
            ..frame(words, "Lanyard")
        },
        reason,
        sign_in_href: sign_in_href.map(str::to_owned),
    };
    let again = Some(paths::APP_SIGN_IN);
    show!(
        all,
        "signed-out",
        ended(EndReason::SignedOut, Accent::Juniper, again)
    );
    show!(
        all,
        "signed-out-no-way-on",
        ended(EndReason::SignedOut, Accent::Slate, None)
    );
    show!(
        all,
        "signed-out-idle",
        ended(EndReason::Idle, Accent::Harbor, again)
    );
    show!(
        all,
        "signed-out-expired",
        ended(EndReason::Expired, Accent::Clay, again)
    );
    show!(
        all,
        "signed-out-elsewhere",
        ended(EndReason::Elsewhere, Accent::Plum, again)
    );
    show!(
        all,
        "signed-out-impersonation",
        ended(EndReason::ImpersonationOver, Accent::Juniper, None)
    );
}
