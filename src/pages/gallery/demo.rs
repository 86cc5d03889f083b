//! The demo's pages, with made-up data.

use super::apps::links;
use super::*;

pub(super) fn demo(all: &mut Vec<Shown>, words: Words) {
    let someone = |who: &str, clinic_name: &str, accent, app, to_try: &str| DemoPerson {
        clinic: clinic(clinic_name, accent),
        who: who.to_owned(),
        login: words.login.to_owned(),
        password: "quiet harbor lantern".to_owned(),
        opens: links(app).remove(0),
        to_try: to_try.to_owned(),
    };
    show!(
        all,
        "demo-codes",
        DemoCodesPage {
            frame: Frame {
                demo_banner: true,
                ..Frame::new("Lanyard", "0193b2c8-5d1f")
            },
            people: vec![DemoCode {
                who: words.person.to_owned(),
                login: words.login.to_owned(),
                code: "123456".to_owned(),
            }],
            seconds_left: 1,
            home_href: "/demo".to_owned(),
        }
    );
    show!(
        all,
        "demo",
        DemoPage {
            frame: Frame {
                demo_banner: true,
                ..Frame::new("Lanyard", "0193b2c8-5d1f")
            },
            people: vec![
                someone(
                    words.person,
                    words.clinic,
                    Accent::Juniper,
                    App::Patient,
                    "See your visits, then wait: you are warned, then signed out.",
                ),
                someone(
                    "Dr. Miriam Okafor, physician and clinic admin",
                    "Harbor Street Clinic",
                    Accent::Harbor,
                    App::Clinician,
                    "Open the console without signing in again.",
                ),
            ],
            codes_href: "/codes".to_owned(),
            mail_href: "/mail".to_owned(),
            partner_href: "/demo/partner".to_owned(),
            support_href: "/account/access".to_owned(),
            discovery_href: "http://localhost:8080/.well-known/openid-configuration".to_owned(),
        }
    );
    mail(all, words);
}

fn mail(all: &mut Vec<Shown>, words: Words) {
    let row = |subject: &str| MailRow {
        href: "/mail/1".to_owned(),
        to: words.login.to_owned(),
        subject: subject.to_owned(),
        sent_at: NOW - time::Duration::minutes(2),
    };
    let list = |messages| MailListPage {
        frame: Frame {
            demo_banner: true,
            ..Frame::new("Lanyard", "0193b2c8-5d1f")
        },
        now: NOW,
        messages,
        home_href: "/".to_owned(),
    };
    show!(
        all,
        "mail",
        list(vec![row("Your password was changed"), row(words.text)])
    );
    show!(all, "mail-none", list(vec![]));
    show!(
        all,
        "mail-message",
        MailMessagePage {
            frame: Frame {
                demo_banner: true,
                ..Frame::new("Lanyard", "0193b2c8-5d1f")
            },
            now: NOW,
            to: words.login.to_owned(),
            subject: words.text.to_owned(),
            sent_at: NOW,
            body: format!(
                "Hello {},\n\nSomeone signed in from a new device.\n",
                words.person
            ),
            list_href: "/mail".to_owned(),
        }
    );
}
