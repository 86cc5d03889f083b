//! A token under `act` once it is given: what APIs are told of it, and that it dies with its grant.

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn;
use axum::routing::get;
use http::Method;
use lanyard::audit::{self, EventType};
use lanyard::db::{AccessClass, Authority, StoreError, Tenancy, Tx};
use lanyard::http::problem::Problem;
use lanyard::impersonation::Rule;
use lanyard::signing::{self, Alg, TokenType};
use lanyard_verifier::{
    ActedRequest, Guard, HttpKeySource, Recorder, Recording, Verified, Verifier,
};
use serde_json::{Value, json};
use time::Duration;
use tokio::net::TcpListener;

use super::super::{assert_refused, claims};
use super::{Help, Seat, assert_problem};
use crate::revocation::LabTime;

impl Help {
    /// A started grant and a token under it, for our own API.
    async fn acting(&self, seat: &Seat) -> (String, String) {
        let id = self.started(seat).await;
        let tokens = self.exchange(seat, &id, &[]).await.json();
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        (id, token)
    }
}

/// INTR-02 (and issue 4, "Introspection … with `act`, tenant and session"): what the token says, to
/// its own API alone, while the grant stands, and nothing after; no minute of it can be had back.
#[tokio::test]
async fn an_api_is_told_who_acts_while_the_grant_stands() {
    let help = Help::new(Rule::Allowed).await;
    let world = &help.world;
    let (sam, api) = (help.seat(&help.sam).await, world.api(|_| ()).await);
    let (id, token) = help.acting(&sam).await;
    let told = world.introspect(&api, &token).await.json();
    let said = claims(&json!(token));
    for name in [
        "sub",
        "tid",
        "sid",
        "act",
        "client_id",
        "aud",
        "jti",
        "roles",
        "scope",
    ] {
        assert_eq!(told[name], said[name], "{name}");
    }
    assert_eq!(told["active"], true);
    assert_eq!(
        told["act"],
        json!({ "sub": help.sams, "grant": id, "preset": "read-only" })
    );
    assert_eq!(told["sid"], json!(id));
    let elsewhere = |client: &mut lanyard::oidc::client::NewClient| {
        client.audiences = vec!["https://elsewhere.example.test".to_owned()];
    };
    let elsewhere = world.api(elsewhere).await;
    assert!(!world.holds(&elsewhere, &token).await, "another audience");
    help.post(&sam, &format!("/{id}/end"), None).await;
    assert!(!world.holds(&api, &token).await, "ended");
    let (_, token) = help.acting(&sam).await;
    assert!(world.holds(&api, &token).await);
    help.set_rule(Rule::Forbidden).await;
    assert!(!world.holds(&api, &token).await, "forbidden meanwhile");
}

/// IMP-15: what a grant stands on is asked with it, and no `act` that is not the grant's own is
/// believed.
#[tokio::test]
async fn a_token_under_act_holds_only_by_its_own_grant() {
    let help = Help::new(Rule::Allowed).await;
    let world = &help.world;
    let (sam, api) = (help.seat(&help.sam).await, world.api(|_| ()).await);
    let (id, token) = help.acting(&sam).await;
    let said = claims(&json!(token));
    let resigned = |change: &dyn Fn(&mut Value)| {
        let mut claims = said.clone();
        change(&mut claims);
        let ring = world.lab.app.ring();
        signing::sign(ring.current(Alg::Es256), TokenType::AccessToken, &claims)
    };
    assert!(world.holds(&api, &resigned(&|_| ())).await, "the control");
    let other = crate::lab::some_id().to_string();
    let forged: [&dyn Fn(&mut Value); 4] = [
        &|claims| claims["act"]["grant"] = json!(other),
        &|claims| claims["sub"] = json!(help.sams),
        &|claims| claims["act"] = json!({ "sub": help.sams }),
        &|claims| {
            claims["sid"] = json!(other);
            claims["act"]["grant"] = json!(other);
        },
    ];
    for (number, change) in forged.into_iter().enumerate() {
        assert!(!world.holds(&api, &resigned(change)).await, "{number}");
    }
    let ends_at = format!(
        "update identity.impersonation set started_at = requested_at,
           ends_at = requested_at + interval '1 second' where impersonation_id = '{id}'"
    );
    let mut boss = world.lab.database.superuser().await;
    crate::lab::cluster::tell(&mut boss, "set session_replication_role = replica").await;
    crate::lab::cluster::tell(&mut boss, &ends_at).await;
    world.lab.clock.advance(Duration::SECOND);
    assert!(!world.holds(&api, &token).await, "its time is over");
}

/// INTR-06: RFC 7009 of a token under `act`: its own app ends the grant by it, on the record, once;
/// another app ends nothing.
#[tokio::test]
async fn who_revokes_a_token_under_act_ends_the_grant() {
    let help = Help::new(Rule::Allowed).await;
    let world = &help.world;
    let (sam, api) = (help.seat(&help.sam).await, world.api(|_| ()).await);
    let (id, token) = help.acting(&sam).await;
    let stranger = world.web().await;
    let refused = world.revoke(&stranger, &token, None).await;
    assert_refused(&refused, 400, "invalid_grant");
    assert!(world.holds(&api, &token).await);
    for _ in 0..2 {
        let revoked = world.revoke(&help.console, &token, None).await;
        assert_eq!((revoked.status.as_u16(), &*revoked.body), (200, ""));
    }
    let (state, cause, is_recorded) = help.stored(&id).await;
    assert_eq!(
        (state.as_str(), cause.as_deref(), is_recorded),
        ("ended", Some("by_actor"), true)
    );
    assert_eq!(help.told("ended").await.len(), 1);
    assert!(!world.holds(&api, &token).await);
    let again = help.exchange(&sam, &id, &[]).await;
    assert_refused(&again, 400, "invalid_grant");
}

/// Design §7: our own API puts a request on the record first, and once the grant is over the token
/// is as good as none: 401, not a fault of ours.
#[tokio::test]
async fn our_own_api_records_first_and_lets_nothing_in_after_the_end() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let (id, token) = help.acting(&sam).await;
    let seen = help.world.call("/api/v1/visits", &token).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    let recorded = help.told("request_recorded").await;
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0].detail["route"], "/api/v1/visits");
    help.post(&sam, &format!("/{id}/end"), None).await;
    // It was asked about a moment ago: the record says it before anything else does.
    let over = help.world.call("/api/v1/visits", &token).await;
    assert_problem(&over, 401, "invalid_token");
    assert_eq!(help.told("request_recorded").await.len(), 1);
}

/// The same of other APIs: what waits for its answer is not recorded under a grant that is over,
/// and what was answered before is.
#[tokio::test]
async fn an_api_is_refused_the_record_of_what_it_may_not_answer() {
    let help = Help::new(Rule::Allowed).await;
    let (sam, api) = (help.seat(&help.sam).await, help.world.api(|_| ()).await);
    let (id, token) = help.acting(&sam).await;
    let mut event = Help::event(&json!(token), "/v1/visits");
    event["status"] = json!(100);
    let told = async |event: &Value| {
        let answer = help.report(&api, std::slice::from_ref(event)).await;
        let count = help.told("request_recorded").await.len();
        (answer.status.as_u16(), count)
    };
    assert_eq!(told(&event).await, (204, 1));
    help.post(&sam, &format!("/{id}/end"), None).await;
    assert_eq!(told(&event).await, (409, 1));
    event["status"] = json!(200);
    assert_eq!(told(&event).await, (204, 2), "of before the end");
}

/// Keeps nothing: what is recorded is another test's matter.
struct Forgetful;

impl Recorder for Forgetful {
    fn record<'a>(&'a self, _: &'a ActedRequest) -> Recording<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// A route that writes, whatever its method says.
async fn writes(
    State(app): State<lanyard::app::App>,
    caller: Verified,
) -> Result<&'static str, Problem> {
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::CareTeam);
    let write = async |tx: &mut Tx<Tenancy>| {
        let detail = json!({ "visits": [], "patients": [], "client_id": caller.client_id() });
        audit::append(tx, &app.env, &app.keys, EventType::VisitListed, detail).await?;
        Ok::<_, StoreError>("written")
    };
    Ok(app.db.run(authority, write).await?)
}

/// IMP-10, design §7: who acts to look can't write, though the route's method is safe, or the route
/// lets actors in, and its code tries: the transaction is READ ONLY.
#[tokio::test]
async fn who_acts_to_look_can_t_write_whatever_a_route_does() {
    let help = Help::new(Rule::Allowed).await;
    let app = &help.world.lab.app;
    let sam = help.seat(&help.sam).await;
    let verifier = Verifier::builder(app.issuer(), lanyard::api::audience(app))
        .keys(HttpKeySource::new(app.issuer()).unwrap())
        .clock(LabTime(app.clone()))
        .recorder(Forgetful)
        .build()
        .unwrap();
    let router: Router = Router::new()
        .route("/", get(writes).post(writes))
        .layer(from_fn(lanyard::api::refuse_what_would_write))
        .layer(verifier.layer().guard(Guard::allow_impersonation()))
        .with_state(app.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let machine = help.world.lab.browser_in(9);
    let ask = async |method: Method, token: &str| {
        let request = machine.request(method, &at).bearer_auth(token);
        machine.send(&at, request).await
    };
    let listed = async || {
        let events = help.world.lab.events_in(help.world.clinic.id).await;
        events
            .iter()
            .filter(|event| event.kind == "visit.listed")
            .count()
    };
    let mut expected = 0;
    for preset in ["read-only", "assist"] {
        let mut wish = Help::wish(help.world.clinic.id, help.world.subject);
        wish["preset"] = json!(preset);
        let asked = help.post(&sam, "", Some(&wish)).await.json();
        let id = asked["id"].as_str().unwrap();
        help.post(&sam, &format!("/{id}/start"), None).await;
        let tokens = help.exchange(&sam, id, &[]).await.json();
        let token = tokens["access_token"].as_str().unwrap();
        let get = ask(Method::GET, token).await;
        let post = ask(Method::POST, token).await;
        if preset == "read-only" {
            assert_problem(&get, 403, "impersonation_forbidden");
            assert_problem(&post, 403, "impersonation_forbidden");
        } else {
            for answer in [get, post] {
                assert_eq!((answer.status.as_u16(), &*answer.body), (200, "written"));
                expected += 1;
            }
        }
        assert_eq!(listed().await, expected, "{preset}");
        // What is read is on the record all the same.
        let seen = help.world.call("/api/v1/visits", token).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
        expected += 1;
        assert_eq!(listed().await, expected, "{preset}");
    }
}

/// IMP-10: a token carries scopes, and a grant lends keys. Whatever the scope covers, no route lets
/// support in whose key its preset does not lend, to look either.
#[tokio::test]
async fn support_reads_by_no_key_that_is_not_lent() {
    let help = Help::new(Rule::Allowed).await;
    let (world, sam) = (&help.world, help.seat(&help.sam).await);
    for preset in ["read-only", "assist", "technical"] {
        let mut wish = Help::wish(world.clinic.id, world.subject);
        wish["preset"] = json!(preset);
        let asked = help.post(&sam, "", Some(&wish)).await.json();
        let id = asked["id"].as_str().unwrap();
        help.post(&sam, &format!("/{id}/start"), None).await;
        let tokens = help.exchange(&sam, id, &[]).await.json();
        let token = tokens["access_token"].as_str().unwrap();
        let scopes: Vec<&str> = tokens["scope"].as_str().unwrap().split(' ').collect();
        let lent: Vec<String> = sqlx::query_scalar(
            "select distinct permission from identity.lent_permission where preset = $1",
        )
        .bind(preset)
        .fetch_all(&mut world.lab.database.superuser().await)
        .await
        .unwrap();
        let looks =
            |route: &&lanyard::api::Route| route.method == Method::GET && !route.path.contains('{');
        let mut withheld = Vec::new();
        for route in lanyard::api::routes().filter(looks) {
            let query = if route.path == "/visits" {
                "?as=patient"
            } else {
                ""
            };
            let path = format!("/api/v1{}{query}", route.path);
            let answer = world.call(&path, token).await;
            let is_lent = lent.iter().any(|key| key == route.permission);
            let expected = if is_lent { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{preset} {path}: {}", answer.body);
            if !is_lent && scopes.contains(&route.scope.name()) {
                withheld.push(route.path);
            }
        }
        // Her roles carry its key, and its scope covers what is lent too.
        assert!(withheld.contains(&"/audit/accesses"), "{withheld:?}");
        help.post(&sam, &format!("/{id}/end"), None).await;
    }
}
