//! The same of the demo's pages: its front page and phones, its mail catcher, and the app of
//! another party, which holds tokens.

use std::net::{Ipv4Addr, SocketAddr};

use lanyard::demo::{self, World, state};
use tokio::net::TcpListener;
use url::Url;

use super::{Log, MARK, Target, events, holds_none, planted, routes, tables_hold_no_secret};
use crate::lab::apps::AppsOfALab;
use crate::lab::{Browser, Lab, attend};
use crate::oidc::{code_of, parameter};

const SAM: &str = "sam.lee@example.test";

const CALLBACK: &str = "/demo/partner/callback";

/// Goes from the other party's page through the issuer's, until Sam is sent back.
async fn way_back(browser: &Browser, at_demo: &Browser, password: &str) -> Url {
    let mut answer = at_demo.get("/demo/partner/connect").await;
    for _ in 0..12 {
        answer = match answer.location() {
            Some(to) if to.path() == CALLBACK => return to,
            Some(to) => browser.get(to.as_str()).await,
            None if answer.sentence() == "Sign in to continue" => {
                browser.sign_in_at(answer, SAM, password).await
            }
            None => {
                let asked = answer.page("Let this app see your information?");
                let allowed = [("decision", "allow")];
                browser.submit(&asked, "consent-form", &allowed).await
            }
        };
    }
    panic!("round and round, at last to {}", answer.url)
}

/// Sam connects the other party's app, and it is once given a code that is none: what passes by on
/// the way is his and the app's alone.
/// `state` is also in the request that waits, where it has to be: those come second.
async fn connect(lab: &Lab, world: &World, pages: SocketAddr) -> (Vec<String>, Vec<String>) {
    let browser = lab.browser();
    let at_demo = browser.clone().through(pages);
    let (mut secrets, mut states) = (Vec::new(), Vec::new());
    for outcome in ["Connected. It sees", "That did not work"] {
        let back = way_back(&browser, &at_demo, world.password(SAM)).await;
        secrets.push(code_of(&back));
        states.extend(parameter(&back, "state"));
        let mut landing = back[url::Position::BeforePath..].to_owned();
        if outcome == "That did not work" {
            landing = landing.replace(&code_of(&back), &planted("code"));
        }
        let landed = at_demo.get(&landing).await.page("An app of somebody else");
        assert!(landed.body.contains(outcome), "{}", landed.body);
    }
    let cookies = ["__Host-lanyard_session", "__Host-lanyard_browser"];
    secrets.extend(cookies.iter().filter_map(|name| browser.cookie(name)));
    assert_eq!((secrets.len(), states.len()), (4, 2));
    (secrets, states)
}

/// AUD-08, CFG-02: nothing that is planted in the demo's pages is seen again, nor what an app of
/// another party was given, nor the secrets that the demo prints on its own page.
#[tokio::test]
async fn what_is_planted_in_the_demo_turns_up_nowhere_either() {
    let log = Log::begin();
    let apps = AppsOfALab::bind().await;
    let folder = std::env::temp_dir().join(format!("lanyard-canary-{}-demo", std::process::id()));
    let lab = Lab::apart(|config| {
        apps.configure(config);
        config.state_dir.clone_from(&folder);
        *config = state::configure(config.clone()).unwrap();
    })
    .await;
    state::make_folder(&lab.app.config, &lab.app.env).unwrap();
    let world = demo::prepare(&lab.app, &mut |_| ()).await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let router = demo::routes::router(&lab.app, &world);
    let target = Target {
        what: "demo",
        browser: lab.browser().through(at),
        routes: routes(&router),
    };
    attend(&lab.app, "demo", router, listener);

    let (errors, count) = target.sow().await;
    assert!(
        count > 60 && errors.contains("Something went wrong"),
        "{count}"
    );
    let (mut secrets, states) = connect(&lab, &world, at).await;
    lanyard::mail::deliver_all(&lab.app).await.unwrap();
    let caught = target.browser.get("/demo/mail").await.page("Caught mail");
    assert!(
        caught.body.contains(SAM),
        "a new device is told of: {}",
        caught.body
    );
    let log = log.end();
    assert!(log.contains("/demo/partner/callback"), "the log was read");
    let events = events(&lab).await;
    assert!(events.contains("consent.given"), "the events were read");

    secrets.extend(world.passwords.into_values());
    secrets.extend(world.code_secrets.into_values());
    secrets.extend(world.partner_secret);
    tables_hold_no_secret(&lab, &secrets).await;
    secrets.extend(states);
    // The app's own tokens, which no page shows: by how they begin.
    secrets.extend([MARK, "lrt_", "eyJ0eX", "eyJhbG", "eyJraW"].map(str::to_owned));
    let metrics = lab.app.metrics.text(&lab.app);
    let places = [
        ("the log", &log),
        ("a metric", &metrics),
        ("an error", &errors),
        ("an event", &events),
        ("a letter", &caught.body),
    ];
    for (place, text) in places {
        holds_none(place, text, &secrets);
    }
}
