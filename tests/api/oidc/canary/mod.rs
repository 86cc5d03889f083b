//! Planted secrets and names, pushed through every route there is: where they turn up again.

mod demo;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use axum::Router;
use http::Method;
use lanyard::config::MailDelivery;
use lanyard::server::{self, Leaving};
use sqlx::AssertSqlSafe;
use tokio::net::TcpListener;
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

use super::leaks::Lines;
use super::{World, code_of};
use crate::lab::apps::AppsOfALab;
use crate::lab::world::PASSWORD;
use crate::lab::{Answer, Browser, Lab, attend};

/// In every planted value, whatever it poses as.
const MARK: &str = "canary7q";

/// What forms, queries and JSON of ours are called, and what others would call theirs.
const FIELDS: [&str; 34] = [
    "access_token",
    "again",
    "assertion",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_verifier",
    "csrf",
    "current",
    "device_code",
    "email",
    "flow",
    "id_token_hint",
    "login",
    "login_hint",
    "name",
    "new",
    "nonce",
    "organization",
    "passcode",
    "password",
    "phone",
    "reason",
    "recovery_code",
    "redirect_uri",
    "refresh_token",
    "scope",
    "session",
    "state",
    "subject_token",
    "ticket",
    "token",
    "totp",
];
/// Headers that carry a secret, a name, or anything typed.
const HEADERS: [&str; 9] = [
    "accept-language",
    "dpop",
    "forwarded",
    "referer",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
    "x-request-id",
];
const COOKIES: [&str; 11] = [
    "__Host-lanyard_session",
    "__Host-lanyard_browser",
    "__Host-lanyard_patient",
    "__Host-lanyard_clinician",
    "__Host-lanyard_console",
    "__Host-lanyard_platform",
    "__Host-lanyard_patient_login",
    "__Host-lanyard_clinician_login",
    "__Host-lanyard_console_login",
    "__Host-lanyard_platform_login",
    "jwt",
];

/// A value that is found again by [`MARK`] and tells where it was put.
fn planted(at: &str) -> String {
    let mut value = format!("{MARK}-{}", at.replace(|c: char| !c.is_alphanumeric(), "-"));
    // As long as our own secrets are: then it is not dropped for its length.
    while value.len() < 43 {
        value.push('x');
    }
    value
}

/// The paths of a router, read from what it says of itself: there is no other list that could
/// forget one.
fn routes(router: &Router) -> BTreeSet<String> {
    let said = format!("{router:?}");
    let paths = said.split("RouteId(").skip(1).filter_map(|rest| {
        let (_, after) = rest.split_once("): \"")?;
        let path = after.split('"').next()?;
        path.starts_with('/').then(|| path.to_owned())
    });
    paths.collect()
}

/// A face: whose routes, by which browser.
struct Target {
    what: &'static str,
    browser: Browser,
    routes: BTreeSet<String>,
}

impl Target {
    /// Every route, by every method, in every shape: what was answered to what is wrong, and how
    /// many requests that were.
    async fn sow(&self) -> (String, usize) {
        assert!(self.routes.len() >= 3, "{}: {:?}", self.what, self.routes);
        let (mut errors, mut count) = (String::new(), 0);
        let methods = [Method::GET, Method::POST, Method::PUT, Method::OPTIONS];
        let paths = self.routes.iter().map(String::as_str);
        for path in paths.chain(["/canary7q/nowhere"]) {
            for method in &methods {
                // What is refused by its method is refused whatever it carries.
                let is_usual = matches!(*method, Method::GET | Method::POST);
                for shape in if is_usual { 0..3 } else { 1..2 } {
                    let answer = self.plant(path, method.clone(), shape).await;
                    let is_ours = answer.status.is_server_error();
                    assert!(!is_ours, "{}: {}", answer.url, answer.body);
                    count += 1;
                    if answer.status.is_client_error() {
                        errors += &answer.body;
                    }
                }
            }
        }
        (errors, count)
    }

    /// One request to a route, with everything planted that a request has a place for.
    async fn plant(&self, path: &str, method: Method, shape: usize) -> Answer {
        let mut at = String::new();
        for part in path.split('/').skip(1) {
            let is_named = part.starts_with('{');
            at += "/";
            at += &if is_named {
                planted("path")
            } else {
                part.to_owned()
            };
        }
        let pairs: Vec<_> = FIELDS.map(|name| (name, planted(name))).to_vec();
        // A query of a post is refused early: it has its own turn.
        let with_query = shape == 0 || method != Method::POST;
        let to = if with_query {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&pairs)
                .finish();
            format!("{at}?{query}")
        } else {
            at
        };
        let mut request = self.browser.request(method, &to);
        for name in HEADERS {
            request = request.header(name, planted(name));
        }
        let cookies = COOKIES.map(|name| format!("{name}={}", planted("cookie")));
        request = request
            .header("cookie", cookies.join("; "))
            .header("sec-fetch-site", "same-origin");
        request = match shape {
            0 => request.basic_auth(planted("client"), Some(planted("secret"))),
            1 => request.bearer_auth(planted("bearer")).form(&pairs),
            _ => request
                .header("authorization", format!("Basic {}", planted("basic")))
                .json(
                    &pairs
                        .iter()
                        .cloned()
                        .collect::<std::collections::BTreeMap<_, _>>(),
                ),
        };
        self.browser.send(&to, request).await
    }
}

/// Each face of a deployment with its routes.
async fn targets(lab: &Lab, apps: AppsOfALab, slug: &str) -> Vec<Target> {
    let issuer = lanyard::http::issuer(&lab.app).await.unwrap();
    let mut targets = vec![Target {
        what: "issuer",
        browser: lab.browser(),
        routes: routes(&issuer),
    }];
    apps.serve(lab, &[slug]).await;
    for (kind, router) in lanyard::apps::routers(&lab.app).await.unwrap() {
        let home = lanyard::apps::settings(&lab.app.config, kind).url.clone();
        let at = (Ipv4Addr::LOCALHOST, home.port().unwrap()).into();
        targets.push(Target {
            what: kind.word(),
            browser: Browser::new(home.as_str(), at, Ipv4Addr::LOCALHOST.into()),
            routes: routes(&router),
        });
    }
    let faces = server::faces(&lab.app, &Leaving::default()).await.unwrap();
    let operations = faces.into_iter().find(|face| face.what == "operations");
    let router = operations.unwrap().router;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    targets.push(Target {
        what: "operations",
        browser: Browser::new(&format!("http://{at}"), at, Ipv4Addr::LOCALHOST.into()),
        routes: routes(&router),
    });
    attend(&lab.app, "operations", router, listener);
    targets
}

/// A whole life of a session; everything that must not be seen again of it.
async fn live(world: &World) -> Vec<String> {
    let client = world.web().await;
    let browser = world.lab.browser();
    let page = browser.visit("/account").await;
    let wrong = browser
        .sign_in_at(page, &world.person.login, &planted("password"))
        .await;
    assert_eq!(wrong.status, 403);
    let page = browser.visit("/account").await;
    browser
        .sign_in_at(page, &planted("login"), &planted("password"))
        .await;
    let back = world.sign_in(&browser, &world.request(&client, &[])).await;
    let code = code_of(&back);
    let tokens = world.redeem(&client, &code).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let again = world.refresh(&client, refresh).await.json();
    world.refresh(&client, refresh).await;
    let access = again["access_token"].as_str().unwrap();
    for path in [
        "/userinfo",
        "/api/v1/me",
        "/api/v1/visits",
        "/api/v1/members",
    ] {
        world.call(path, access).await;
    }
    let mut secrets = vec![PASSWORD.to_owned(), code, client.secret.unwrap()];
    for given in [&tokens, &again] {
        for name in ["access_token", "id_token", "refresh_token"] {
            secrets.push(given[name].as_str().unwrap().to_owned());
        }
    }
    let cookies = ["__Host-lanyard_session", "__Host-lanyard_browser"];
    secrets.extend(cookies.iter().filter_map(|name| browser.cookie(name)));
    secrets
}

/// Everything that is logged on this test's own thread, at its loudest.
struct Log {
    lines: Lines,
    /// With one alone, a line that another test's thread reaches first would be silenced for all.
    _another: Dispatch,
    logging: DefaultGuard,
}

impl Log {
    fn begin() -> Self {
        let loud = |writer| {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(writer)
                .finish()
        };
        let lines = Lines::default();
        Self {
            _another: Dispatch::new(loud(Lines::default())),
            logging: tracing::subscriber::set_default(loud(lines.clone())),
            lines,
        }
    }

    fn end(self) -> String {
        drop(self.logging);
        self.lines.text()
    }
}

/// What is on the record, and what waits to be mailed.
async fn events(lab: &Lab) -> String {
    let mut events = String::new();
    for table in ["audit.event", "outbox.message"] {
        events += &rows(lab, table).await.concat();
    }
    events
}

/// Every row of a table as text.
async fn rows(lab: &Lab, table: &str) -> Vec<String> {
    let sql = format!("select row_to_json(t)::text from {table} t");
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_all(&mut lab.database.superuser().await)
        .await
        .unwrap()
}

#[track_caller]
fn holds_none(place: &str, text: &str, secrets: &[String]) {
    for secret in secrets {
        let at = text.find(secret.as_str());
        let near = at.map(|at| text[..at].chars().rev().take(200).collect::<String>());
        let near = near.map(|near| near.chars().rev().collect::<String>());
        assert!(at.is_none(), "{place} holds {secret}, after {near:?}");
    }
}

/// AUD-08, CFG-02: through every route of every face, in path, query, form, JSON, header and
/// cookie, and by a whole session of a person with a telling name: nothing of it is in the log at
/// its loudest, in a metric, in an error, in an event, in a letter; and no secret is in any table.
#[tokio::test]
async fn what_is_planted_turns_up_in_no_log_metric_error_event_or_letter() {
    let log = Log::begin();
    let apps = AppsOfALab::bind().await;
    let letters = std::env::temp_dir().join(format!("lanyard-canary-{}", std::process::id()));
    let lab = Lab::apart(|config| {
        apps.configure(config);
        config.mail.delivery = MailDelivery::Directory;
        config.mail.directory = Some(letters.clone());
    })
    .await;
    let clinic = lab.clinic("Juniper Clinic").await;
    let name = format!("Zelda {MARK}name");
    let person = lab.person(&name).await;
    let subject = lab.join(&person, clinic.id, &["patient"]).await;
    let targets = targets(&lab, apps, &clinic.slug).await;
    let mut errors = String::new();
    let mut count = 0;
    for target in &targets {
        let (said, sent) = target.sow().await;
        errors += &said;
        count += sent;
    }
    assert!(count > 300, "{count}");
    let world = World {
        lab,
        clinic,
        person,
        subject,
    };
    let mut secrets = live(&world).await;
    lanyard::mail::deliver_all(&world.lab.app).await.unwrap();
    let log = log.end();
    assert!(
        log.contains("/token") && log.contains("duration_ms"),
        "the log was read"
    );
    let events = events(&world.lab).await;
    assert!(
        events.contains("client.rejected") && events.contains("refresh.rotated"),
        "the events were read"
    );
    let mut written = String::new();
    for entry in std::fs::read_dir(&letters).unwrap().flatten() {
        written += &std::fs::read_to_string(entry.path()).unwrap();
    }
    assert!(
        written.contains(&world.person.login),
        "the letters were read"
    );
    std::fs::remove_dir_all(&letters).unwrap();
    // Her address is on the letter's envelope: there alone it belongs.
    let login = world.person.login.clone();
    secrets.push(MARK.to_owned());
    holds_none("a letter", &written, &secrets);
    secrets.push(login);
    let metrics = world.lab.app.metrics.text(&world.lab.app);
    let places = [
        ("the log", &log),
        ("a metric", &metrics),
        ("an error", &errors),
        ("an event", &events),
    ];
    for (place, text) in places {
        holds_none(place, text, &secrets);
    }
    tables_hold_no_secret(&world.lab, &secrets[..secrets.len() - 2]).await;
}

/// In any table: no secret of the session, and none that was planted as one.
async fn tables_hold_no_secret(lab: &Lab, of_the_session: &[String]) {
    let mut secrets = of_the_session.to_vec();
    for at in [
        "password",
        "client_secret",
        "refresh_token",
        "bearer",
        "secret",
        "cookie",
    ] {
        secrets.push(planted(at));
    }
    let tables: Vec<String> = sqlx::query_scalar(
        "select schemaname || '.' || tablename from pg_catalog.pg_tables
         where schemaname not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&mut lab.database.superuser().await)
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    for table in tables {
        holds_none(&table, &rows(lab, &table).await.concat(), &secrets);
    }
}
