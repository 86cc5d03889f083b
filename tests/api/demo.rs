//! The demo's world, its pages, and its run through the main job.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lanyard::demo::world::{CLINICS, RUTH};
use lanyard::demo::{self, DemoError, Step, World, state, table};
use reqwest::Method;
use time::Duration;
use tokio::net::TcpListener;

use crate::lab::apps::AppsOfALab;
use crate::lab::{Answer, Browser, Lab, attend};

/// A lab that is a demo, not seeded yet.
struct Demo {
    lab: Lab,
    apps: AppsOfALab,
    folder: PathBuf,
}

impl Demo {
    async fn new(name: &str) -> Self {
        let process = std::process::id();
        let folder = std::env::temp_dir().join(format!("lanyard-demo-{process}-{name}"));
        let apps = AppsOfALab::bind().await;
        let lab = Lab::apart(|config| {
            apps.configure(config);
            config.state_dir.clone_from(&folder);
            *config = state::configure(config.clone()).unwrap();
        })
        .await;
        state::make_folder(&lab.app.config, &lab.app.env).unwrap();
        Self { lab, apps, folder }
    }

    async fn prepare(&self) -> Result<World, DemoError> {
        demo::prepare(&self.lab.app, &mut |_| ()).await
    }

    /// Serves the apps; the lab serves the issuer.
    async fn serve(self) -> Lab {
        self.apps
            .serve(&self.lab, &CLINICS.each_ref().map(|clinic| clinic.slug))
            .await;
        let _ = std::fs::remove_dir_all(self.folder);
        self.lab
    }
}

/// Where a second factor is asked for.
const CODE: &str = "Enter your code";

/// What the phone of somebody of the demo shows, typed.
async fn type_code(
    lab: &Lab,
    world: &World,
    browser: &Browser,
    page: &Answer,
    login: &str,
) -> Answer {
    let secret = world.code_secret(login).expect("a device");
    let code = secret.code_at(lab.now());
    browser.submit(page, "code-form", &[("code", &code)]).await
}

/// Issue 2, "Shown by": sign-in, second app, API call, refused cross-clinic call, idle logoff,
/// logout everywhere. Issue 4, the same: support asks, the clinic lets it, it reads and writes
/// nothing, the patient sees it and ends it, the log verifies, a changed byte is named.
#[tokio::test]
async fn the_demo_runs_through_the_main_job_and_a_case_of_support_by_itself() {
    let demo = Demo::new("drive").await;
    let world = demo.prepare().await.unwrap();
    let lab = demo.serve().await;
    let folder = lab.app.config.state_dir.clone();
    std::fs::create_dir_all(&folder).unwrap();
    // Time stands still until somebody is to be away.
    let waits = Arc::new(AtomicBool::new(false));
    let ticking = tokio::spawn({
        let (waits, clock) = (Arc::clone(&waits), lab.clock.clone());
        async move {
            let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
            loop {
                ticks.tick().await;
                if waits.load(Ordering::Relaxed) {
                    clock.advance(Duration::SECOND);
                }
            }
        }
    });
    let mut seen = Vec::new();
    let goes_well = demo::drive(&lab.app, &world, &mut |step: &Step| {
        waits.store(step.words.starts_with("Ivy signs in"), Ordering::Relaxed);
        seen.push(table::step(step.is_done, &step.words, 0));
    })
    .await;
    ticking.abort();
    assert!(goes_well, "{}", seen.concat());
    assert_eq!(seen.len(), 17, "{}", seen.concat());
    let told = seen.concat();
    for words in ["200, 3 visits", "nothing: 403", "GET /api/v1/visits"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let last = seen[16].split("a copy is changed: ").nth(1).unwrap();
    let index = last.strip_prefix("Entry ").and_then(|rest| {
        let (index, rest) = rest.split_once(' ')?;
        rest.starts_with("is not what was recorded")
            .then_some(index)
    });
    let index: usize = index.expect("the entry's name").parse().unwrap();
    // What was written down for whoever tries it by hand: both files, and the keys to them.
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (whole, changed) = (
        read("juniper-log.ndjson"),
        read("juniper-log-changed.ndjson"),
    );
    let apart: Vec<_> = (0..whole.len())
        .filter(|&at| whole[at] != changed[at])
        .collect();
    assert_eq!((apart.len(), whole.len()), (1, changed.len()));
    let lines = std::str::from_utf8(&whole[..apart[0]]).unwrap().lines();
    let line = lines.last().unwrap();
    assert!(line.contains(&format!("\"index\":{index},")), "{line}");
    assert!(
        String::from_utf8(read("log-keys.json"))
            .unwrap()
            .contains("verifier_key")
    );
    std::fs::remove_dir_all(folder.parent().unwrap()).unwrap();
}

/// Design: a second start uses the world of the first, and what a crash left is made whole.
#[tokio::test]
async fn a_second_start_uses_the_same_world() {
    let demo = Demo::new("again").await;
    let world = demo.prepare().await.unwrap();
    assert_eq!(demo.prepare().await.unwrap(), world);
    // As if the first had been killed before it noted that all was there.
    let half = World {
        is_seeded: false,
        ..world.clone()
    };
    half.keep(&demo.lab.app.config, &demo.lab.app.env).unwrap();
    assert_eq!(demo.prepare().await.unwrap(), world);
    let shown = table::table(&demo.lab.app.config, &world);
    assert!(
        shown.contains(RUTH) && shown.contains(world.password(RUTH)),
        "{shown}"
    );
    demo.serve().await;
}

/// Nobody's clinics are mixed with made-up ones.
#[tokio::test]
async fn a_database_with_other_clinics_is_refused() {
    let demo = Demo::new("strangers").await;
    let real = demo.lab.clinic("Real Clinic").await;
    let refused = demo.prepare().await;
    assert!(matches!(refused, Err(DemoError::NotEmpty(slug)) if slug == real.slug));
    demo.serve().await;
}

/// Issue 2 §1, §4: the front page and the catcher; every page says that all is made up.
#[tokio::test]
async fn every_page_of_the_demo_says_that_all_is_made_up() {
    let demo = Demo::new("pages").await;
    let world = demo.prepare().await.unwrap();
    let lab = demo.serve().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = demo::routes::router(&lab.app, &world);
    attend(&lab.app, "demo", router, listener);
    let browser = lab.browser();
    let host = lab.issuer().trim_start_matches("http://").to_owned();
    let look = async |path: &str| -> Answer {
        let to = format!("http://localhost:{port}{path}");
        browser
            .send(&to, browser.request_naming(&host, Method::GET, &to))
            .await
    };
    let made_up = "Every person and record here is made up";

    let front = look("/demo").await.page("Try Lanyard");
    assert!(front.body.contains(made_up));
    assert!(front.body.contains(RUTH) && front.body.contains(world.password(RUTH)));
    assert!(
        front
            .header("content-security-policy")
            .starts_with("default-src 'none'")
    );

    let sign_in = browser.visit("/account").await.page("Sign in to continue");
    assert!(sign_in.body.contains(made_up), "the issuer's pages too");
    let patient = &lab.app.config.apps.patient.url;
    let app = format!(
        "http://juniper.localhost:{}/?front",
        patient.port().unwrap()
    );
    let app = browser
        .get(&app)
        .await
        .page("Welcome to your patient portal");
    assert!(app.body.contains(made_up), "the apps' pages too");

    for path in [
        "/recovery",
        "/recovery/new",
        "/recovery/done",
        "/signed-out",
        "/sign-in",
        "/consent",
        "/nothing",
    ] {
        let request = browser
            .request(Method::GET, path)
            .header("accept", "text/html");
        let page = browser.send(path, request).await;
        assert!(page.body.contains(made_up), "{path}: {}", page.body);
    }
    let nowhere = format!("http://nowhere.localhost:{}/", patient.port().unwrap());
    let nowhere = browser
        .get(&nowhere)
        .await
        .shows(421, "Something went wrong");
    assert!(nowhere.body.contains(made_up), "even where no clinic is");

    let partner = look("/demo/partner").await.page("An app of somebody else");
    assert!(partner.body.contains(made_up));
    look("/demo/partner/callback?state=x&code=y")
        .await
        .page("An app of somebody else");

    look("/demo/mail").await.page("Caught mail");
    let entered = browser
        .sign_in_at(sign_in, RUTH, world.password(RUTH))
        .await;
    let page = browser.follow(entered).await.page(CODE);
    assert!(page.body.contains(made_up));
    type_code(&lab, &world, &browser, &page, RUTH)
        .await
        .goes_to("/account");
    for path in ["/account", "/account/password"] {
        let page = browser.get(path).await;
        assert!(page.body.contains(made_up), "{path}: {}", page.body);
    }
    lanyard::mail::deliver(&lab.app).await.unwrap();
    let mail = look("/demo/mail").await.page("Caught mail");
    assert!(
        mail.body.contains(RUTH),
        "a new device is told of: {}",
        mail.body
    );
    let link = mail.body.split("href=\"/demo/mail/").nth(1).unwrap();
    let message = look(&format!("/demo/mail/{}", link.split('"').next().unwrap())).await;
    assert!(message.page("A caught message").body.contains(RUTH));
    look("/demo/mail/nothing")
        .await
        .shows(404, "Something went wrong");
}

/// Issue 3: support staff are there, and no clinic's records are.
#[tokio::test]
async fn the_platforms_staff_sign_in_and_see_no_patient() {
    let demo = Demo::new("staff").await;
    let world = demo.prepare().await.unwrap();
    let lab = demo.serve().await;
    let console = lab.app.config.apps.console.url.clone();
    for login in ["piotr.nowak@example.test", "dana.whitfield@example.test"] {
        let browser = lab.browser();
        let page = browser.visit(&format!("{console}sign-in")).await;
        let page = match page.location() {
            Some(onward) => browser.visit(onward.as_str()).await,
            None => page,
        };
        let mut answer = browser.sign_in_at(page, login, world.password(login)).await;
        for _ in 0..12 {
            if let Some(onward) = answer.location() {
                answer = browser.get(onward.as_str()).await;
            } else if answer.sentence() == CODE {
                answer = type_code(&lab, &world, &browser, &answer, login).await;
            } else {
                break;
            }
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body.contains("id=\"refusal\""), "{}", answer.body);
    }
}

/// Issue 3: all that somebody who tries it needs, for programs too.
#[tokio::test]
async fn the_demo_tells_its_people_licenses_and_clients() {
    let demo = Demo::new("facts").await;
    let world = demo.prepare().await.unwrap();
    let config = demo.lab.app.config.clone();
    let facts = table::facts(&config, &world);
    assert_eq!(facts["issuer"], config.issuer.as_str());
    let people = facts["people"].as_array().unwrap();
    let maya = people.iter().find(|p| p["name"] == "Maya Chen").unwrap();
    assert_eq!(maya["license"]["title"], "MD");
    assert_eq!(maya["license"]["states"], serde_json::json!(["OR", "WA"]));
    let twice = people.iter().filter(|p| p["name"] == "Ana Ortiz").count();
    assert_eq!(twice, 2, "a person of two clinics");
    let roles = |role: &str| people.iter().any(|p| p["roles"][0] == role);
    for role in ["patient", "clinician", "clinic_admin", "platform_support"] {
        assert!(roles(role), "{role}");
    }
    let clients = facts["clients"].as_array().unwrap();
    let theirs = clients
        .iter()
        .find(|c| c["is_third_party"] == true)
        .unwrap();
    assert!(
        theirs["client_secret"]
            .as_str()
            .unwrap()
            .starts_with("lcs_")
    );
    assert_eq!(clients.len(), 6);
    let desk = clients.iter().find(|c| c["client_id"] == "support-desk");
    let secret = desk.unwrap()["client_secret"].as_str().unwrap();
    assert!(secret.starts_with("lcs_"));
    for client in clients {
        assert!(!client["redirect_uris"].as_array().unwrap().is_empty());
        assert!(client["opens"].as_str().unwrap().starts_with("http://"));
    }
    let shown = table::table(&config, &world);
    for words in [
        "Maya Chen, MD (licensed in OR, WA): clinician",
        "Piotr Nowak: platform support",
        "/demo/partner",
        "/account/access: as Ana, after the run",
        "juniper-log.ndjson --keys",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    demo.serve().await;
}

/// Issue 3: a page of another site that makes a name of its own point here (DNS rebinding) hears
/// nothing, at any of the demo's listeners.
#[tokio::test]
async fn the_demo_answers_to_its_own_names_alone() {
    let demo = Demo::new("hosts").await;
    let world = demo.prepare().await.unwrap();
    let lab = demo.serve().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = demo::routes::router(&lab.app, &world);
    attend(&lab.app, "demo", router, listener);
    let apps = &lab.app.config.apps;
    let own = |port: u16| format!("http://localhost:{port}/");
    let faces = [
        format!("{}/", lab.issuer()),
        format!("http://localhost:{port}/demo"),
        own(apps.patient.url.port().unwrap()),
        own(apps.clinician.url.port().unwrap()),
        own(apps.console.url.port().unwrap()),
        own(apps.platform.url.port().unwrap()),
    ];
    let browser = lab.browser();
    for face in &faces {
        for host in [
            "evil.test",
            "localhost.evil.test",
            "evil.test:8080",
            "platform.evil.test",
        ] {
            let request = browser.request_naming(host, Method::GET, face);
            let answer = browser.send(face, request).await;
            assert_eq!(answer.status, 421, "{face} as {host}: {}", answer.body);
            assert!(!answer.body.contains(RUTH) && !answer.body.contains(host));
        }
    }
}
