//! The person's page, and what APIs say they opened.

use http::Method;
use lanyard::impersonation::Rule;
use lanyard::oidc::client::ClientKind;
use serde_json::{Value, json};

use super::super::{Client, claims};
use super::{Help, Seat, assert_problem};
use crate::lab::Answer;

/// An API of somebody else's, and the token under `act` for it.
const API: &str = "https://visits.example.test";

impl Help {
    /// A resource server with that audience.
    pub(super) async fn api(&self, audience: &str) -> Client {
        let platform = self.world.lab.platform().await;
        let audiences = vec![audience.to_owned()];
        self.world
            .register(platform, |client| {
                client.kind = ClientKind::Resource;
                client.scopes.clear();
                client.audiences = audiences;
            })
            .await
    }

    pub(super) async fn report(&self, api: &Client, events: &[Value]) -> Answer {
        let machine = self.world.lab.browser_in(9);
        let request = machine
            .request(Method::POST, "/activity/acted")
            .basic_auth(&api.id, api.secret.as_deref())
            .header("content-type", "application/json")
            .body(json!({ "events": events }).to_string());
        machine.send("/activity/acted", request).await
    }

    /// What an API says of one request with that token.
    pub(super) fn event(token: &Value, route: &str) -> Value {
        let said = claims(token);
        json!({
            "jti": said["jti"], "tid": said["tid"], "sid": said["sid"], "iat": said["iat"],
            "exp": said["exp"], "at": said["iat"], "method": "GET", "route": route, "status": 200,
        })
    }
}

/// Design §7: she is asked, sees who and why and what was opened, and ends it at once.
#[tokio::test]
async fn the_person_says_yes_sees_what_was_opened_and_ends_it() {
    let help = Help::new(Rule::ConsentOfUser).await;
    let platform = help.world.lab.platform().await;
    let own = lanyard::api::audience(&help.world.lab.app);
    let desk = help
        .world
        .register(platform, |client| {
            client.scopes = super::SCOPES.split(' ').map(str::to_owned).collect();
            client.audiences = vec![own, API.to_owned()];
        })
        .await;
    let sam = help.seat_with(&desk, &help.sam).await;
    let asked = help.ask(&sam).await.json();
    let id = asked["id"].as_str().unwrap();
    assert_eq!(asked["state"], "requested");
    assert_eq!(help.letters().await, ["support_asks"]);
    let early = help.post(&sam, &format!("/{id}/start"), None).await;
    assert_problem(&early, 409, "wrong_state");
    let tina = help.seat(&help.tina).await;
    let hers = help.post(&tina, &format!("/{id}/approve"), None).await;
    assert_problem(&hers, 409, "wrong_state");

    let ada = help.world.lab.signed_in(&help.world.person).await;
    let account = ada.visit("/account").await;
    assert!(account.body.contains("Support asks to act for you."));
    let page = ada.visit("/account/access").await.page("Support access");
    for words in ["Sam Porter", "She can't see her next visit", "HELP-4711"] {
        let escaped = words.replace('\'', "&#39;");
        assert!(page.body.contains(&escaped), "{words}: {}", page.body);
    }
    let form = format!("answer-{id}");
    let said = ada.submit(&page, &form, &[("decision", "allow")]).await;
    said.goes_to("/account/access");
    assert_eq!(
        help.told("approved").await[0].subject_id,
        Some(help.world.subject)
    );

    let started = help.post(&sam, &format!("/{id}/start"), None).await;
    assert_eq!(started.json()["state"], "active", "{}", started.body);
    let token = help
        .exchange_by(&desk, &sam, id, &[("audience", API)])
        .await;
    let token = token.json()["access_token"].clone();
    let api = help.api(API).await;
    let event = Help::event(&token, "/v1/visits/{id}");
    let recorded = help.report(&api, &[event.clone(), event]).await;
    assert_eq!(recorded.status, 204, "{}", recorded.body);
    let told = help.told("request_recorded").await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].actor_id, Some(help.sams));
    assert_eq!(told[0].subject_id, Some(help.world.subject));
    assert_eq!(told[0].detail["route"], "/v1/visits/{id}");

    let page = ada.visit("/account/access").await.page("Support access");
    assert!(
        page.body.contains("GET /v1/visits/{id}, 2 times"),
        "{}",
        page.body
    );
    let clinics = help.list(&tina).await;
    assert_eq!(clinics[0]["opened"][0]["times"], 2);
    assert!(
        help.list(&sam).await[0]["opened"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let over = ada.submit(&page, &format!("end-{id}"), &[]).await;
    over.goes_to("/account/access");
    let (state, cause, is_recorded) = help.stored(id).await;
    assert_eq!(
        (state.as_str(), cause.as_deref(), is_recorded),
        ("ended", Some("by_subject"), true)
    );
    let again = help.exchange_by(&desk, &sam, id, &[]).await;
    assert_eq!(again.json()["error"], "invalid_grant");
}

/// IMP-17: another site's form, a form without its token, a link, and another person's grant.
#[tokio::test]
async fn no_other_site_answers_or_ends_in_her_name() {
    let help = Help::new(Rule::ConsentOfUser).await;
    let sam = help.seat(&help.sam).await;
    let asked = help.ask(&sam).await.json();
    let id = asked["id"].as_str().unwrap();
    let ada = help.world.lab.signed_in(&help.world.person).await;
    let page = ada.visit("/account/access").await.page("Support access");
    let (_, hidden) = page.form(&format!("answer-{id}"));
    let csrf = hidden.iter().find(|(name, _)| name == "csrf").unwrap();
    let slug = help.world.clinic.slug.as_str();
    let usual = [("clinic", slug), ("grant", id), ("decision", "allow")];
    let bare = ada.post("/account/access/answer", &usual).await;
    assert_eq!(bare.status, 403);
    let whole: Vec<_> = usual
        .into_iter()
        .chain([("csrf", csrf.1.as_str())])
        .collect();
    for to in ["/account/access/answer", "/account/access/end"] {
        let foreign = ada
            .request(Method::POST, to)
            .header("sec-fetch-site", "cross-site")
            .header("origin", "https://evil.example.test")
            .form(&whole);
        assert_eq!(ada.send(to, foreign).await.status, 403);
        assert_eq!(ada.get(to).await.status, 405);
    }
    assert_eq!(page.header("x-frame-options"), "DENY");
    // Another member's page neither shows nor answers it.
    let hal = help.world.lab.person("Hal Reed").await;
    help.world
        .lab
        .join(&hal, help.world.clinic.id, &["patient"])
        .await;
    let hals = help.world.lab.signed_in(&hal).await;
    let page = hals.visit("/account/access").await.page("Support access");
    assert!(!page.body.contains(id));
    let (_, hidden) = hals.visit("/account").await.form("end-all");
    let csrf = hidden.iter().find(|(name, _)| name == "csrf").unwrap();
    let his: Vec<_> = usual
        .into_iter()
        .chain([("csrf", csrf.1.as_str())])
        .collect();
    for to in ["/account/access/answer", "/account/access/end"] {
        assert_eq!(hals.post(to, &his).await.status, 404);
    }
    assert_eq!(help.stored(id).await.0, "requested");
}

/// IMP-05, IMP-06: a token under `act` is no browser's session: no page of the account takes it,
/// and no consent is given by it.
#[tokio::test]
async fn a_token_under_act_opens_no_page_of_hers() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let tokens = help.exchange(&sam, &id, &[]).await.json();
    let acting = tokens["access_token"].as_str().unwrap();
    let machine = help.world.lab.browser_in(9);
    for to in [
        "/account/password",
        "/account/codes/add",
        "/account/codes/remove",
        "/account/codes/rename",
        "/account/codes/recovery",
        "/account/sessions/end",
        "/account/sessions/end-all",
        "/account/apps/remove",
        "/account/access/answer",
        "/account/access/end",
        "/consent",
    ] {
        let form = [
            ("grant", id.as_str()),
            ("decision", "allow"),
            ("clinic", "juniper"),
            ("client", "an-app"),
            ("session", id.as_str()),
            ("device", id.as_str()),
            ("name", "Phone"),
            ("code", "123456"),
            ("current_password", "quiet river"),
            ("new_password", "quiet river under eight bridges"),
            ("flow", id.as_str()),
            ("asked", "x"),
            ("csrf", "x"),
        ];
        let request = machine
            .request(Method::POST, to)
            .bearer_auth(acting)
            .form(&form);
        let answer = machine.send(to, request).await;
        assert_eq!(answer.status, 403, "{to}: {}", answer.body);
    }
    let request = machine.request(Method::GET, "/account").bearer_auth(acting);
    let shown = machine.send("/account", request).await;
    assert!(shown.location().is_some(), "to sign in");
    let silent = help.world.request(&help.console, &[("prompt", "none")]);
    let request = machine.request(Method::GET, &silent).bearer_auth(acting);
    let back = machine.send(&silent, request).await.location().unwrap();
    assert!(back.as_str().contains("error=login_required"), "{back}");
    assert_eq!(help.stored(&id).await.0, "active");
    let seat = Seat {
        browser: sam.browser,
        token: acting.to_owned(),
    };
    let ended = help.post(&seat, &format!("/{id}/end"), None).await;
    assert_eq!(ended.status, 403, "{}", ended.body);
}

/// Only what an API was asked with a token of ours for it, or nothing of the report.
#[tokio::test]
async fn an_api_reports_its_own_requests_alone() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let own = lanyard::api::audience(&help.world.lab.app);
    let tokens = help.exchange(&sam, &id, &[]).await.json();
    let token = &tokens["access_token"];
    let (api, other) = (help.api(&own).await, help.api(API).await);
    let good = Help::event(token, "/api/v1/visits");
    let mut bad: Vec<(Value, &Client)> = vec![(good.clone(), &other)];
    for (field, value) in [
        ("jti", json!("AAAA")),
        ("sid", json!(help.sams)),
        ("tid", json!("00000000-0000-0000-0000-000000000001")),
        ("exp", json!(4_000_000_000_i64)),
        ("at", json!(1)),
        ("at", json!(4_000_000_000_i64)),
        ("route", json!("/api/v1/visits?name=Ada")),
        ("method", json!("get")),
        ("status", json!(7)),
    ] {
        let mut event = good.clone();
        event[field] = value;
        bad.push((event, &api));
    }
    // Hers, without `act`: there is no such grant.
    let hers = help.seat(&help.world.person).await;
    bad.push((Help::event(&json!(hers.token), "/api/v1/visits"), &api));
    for (event, api) in bad {
        let refused = help.report(api, &[good.clone(), event.clone()]).await;
        assert_eq!(refused.status, 400, "{event}");
    }
    assert!(help.told("request_recorded").await.is_empty());
    let many = vec![good.clone(); 101];
    assert_eq!(help.report(&api, &many).await.status, 400);
    let stranger = help.world.web().await;
    assert_eq!(
        help.report(&stranger, std::slice::from_ref(&good))
            .await
            .status,
        401
    );
    assert_eq!(help.report(&api, &[good]).await.status, 204);
    assert_eq!(help.told("request_recorded").await.len(), 1);
}
