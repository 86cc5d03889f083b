//! OpenID Shared Signals Framework 1.0: a receiver manages its stream, and is given what it asked
//! for. Along the lines of the foundation's `openid-ssf-transmitter-caep-test-plan`.

use http::Method;
use lanyard::oidc::client::ClientKind;
use serde_json::{Value, json};

use super::{Stage, ask, kind, opened};
use crate::lab::Answer;
use crate::oidc::Client;

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
pub(super) const VERIFICATION: &str =
    "https://schemas.openid.net/secevent/ssf/event-type/verification";

pub(super) struct Receiver<'a> {
    stage: &'a Stage,
    pub(super) client: Client,
}

impl<'a> Receiver<'a> {
    pub(super) async fn of(stage: &'a Stage) -> Self {
        let client = stage.resource(stage.world.clinic.id, None).await;
        Self { stage, client }
    }

    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        ask(&self.stage.world.lab, &self.client, method, path, body).await
    }

    pub(super) async fn polled(&self, acknowledged: &[&Value]) -> Vec<Value> {
        let body = json!({ "returnImmediately": true, "ack": acknowledged });
        let answer = self
            .ask(Method::POST, "/revocations/poll", Some(body))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let sets = answer.json();
        let sets = sets["sets"].as_object().unwrap().values();
        sets.map(|set| opened(&self.stage.world.lab, set)).collect()
    }

    pub(super) async fn end_session_and_membership(&self) {
        let world = &self.stage.world;
        self.stage
            .sql(&format!(
                "update identity.session set ended_at = now(), end_reason = 'signed_out'
                 where account_id = '{}';
                 update identity.membership set status = 'suspended' where subject_id = '{}'",
                world.person.account, world.subject
            ))
            .await;
    }
}

/// SSF 1.0 §7.1: what is announced is there.
#[tokio::test]
async fn the_configuration_names_what_is_there() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let machine = lab.browser_in(9);
    let path = "/.well-known/ssf-configuration";
    let answer = machine.send(path, machine.request(Method::GET, path)).await;
    let said = answer.json();
    assert_eq!(said["issuer"], lab.issuer());
    assert_eq!(said["spec_version"], "1_0");
    assert_eq!(
        said["delivery_methods_supported"],
        json!(["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"])
    );
    let schemes = said["authorization_schemes"].as_array().unwrap();
    let schemes: Vec<_> = schemes.iter().map(|scheme| &scheme["spec_urn"]).collect();
    assert_eq!(schemes, ["urn:ietf:rfc:6749", "urn:ietf:rfc:7617"]);
    for endpoint in ["jwks_uri", "configuration_endpoint", "status_endpoint"] {
        let address = said[endpoint].as_str().unwrap();
        assert!(address.starts_with(lab.issuer()), "{address}");
        let asked = machine.request(Method::GET, address);
        let status = machine.send(address, asked).await.status;
        let expected = if endpoint == "jwks_uri" { 200 } else { 401 };
        assert_eq!(status, expected, "{endpoint}");
    }
}

/// §8.1.1: made once, read, changed, replaced, deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_made_changed_and_deleted() {
    let stage = Stage::new().await;
    let receiver = Receiver::of(&stage).await;
    let path = "/ssf/stream";
    let wanted = json!({
        "delivery": { "method": "urn:ietf:rfc:8936" },
        "events_requested": [SESSION_REVOKED, "https://example.com/unknown"],
        "description": "a stream",
    });
    let made = receiver.ask(Method::POST, path, Some(wanted.clone())).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    assert_eq!(made["events_delivered"], json!([SESSION_REVOKED]));
    assert_eq!(made["events_requested"], wanted["events_requested"]);
    assert_eq!(made["iss"], stage.world.lab.issuer());
    let endpoint = made["delivery"]["endpoint_url"].as_str().unwrap();
    assert!(endpoint.ends_with("/revocations/poll"), "{endpoint}");
    let again = receiver.ask(Method::POST, path, Some(wanted)).await;
    assert_eq!(again.status, 409);
    let id = made["stream_id"].as_str().unwrap();
    let named = format!("{path}?stream_id={id}");
    assert_eq!(receiver.ask(Method::GET, &named, None).await.json(), made);
    assert_eq!(
        receiver.ask(Method::GET, path, None).await.json(),
        json!([made])
    );
    let changed = json!({ "stream_id": id, "description": "another" });
    let changed = receiver
        .ask(Method::PATCH, path, Some(changed))
        .await
        .json();
    assert_eq!(changed["description"], "another");
    assert_eq!(changed["events_delivered"], json!([SESSION_REVOKED]));
    let replaced = json!({ "stream_id": id, "delivery": { "method": "urn:ietf:rfc:8936" } });
    let replaced = receiver.ask(Method::PUT, path, Some(replaced)).await.json();
    assert_eq!(replaced["events_delivered"], replaced["events_supported"]);
    assert!(replaced.get("description").is_none());
    let unknown = "00000000-0000-4000-8000-000000000000";
    let other = Receiver::of(&stage).await;
    for (by, name, status) in [
        (&receiver, unknown, 404),
        (&other, id, 404),
        (&receiver, id, 204),
    ] {
        let path = format!("{path}?stream_id={name}");
        assert_eq!(
            by.ask(Method::DELETE, &path, None).await.status,
            status,
            "{name}"
        );
    }
    assert_eq!(receiver.ask(Method::GET, &named, None).await.status, 404);
    for wrong in [
        json!({ "delivery": { "method": "urn:ietf:rfc:8935" } }),
        push_to("http://receiver.example/sets", "Bearer x"),
        push_to("https://user@receiver.example/sets", "Bearer x"),
        push_to("com.example.app:/sets", "Bearer x"),
        push_to("https://receiver.example/sets", "Bearer x\r\nHost: y"),
        json!({ "delivery": { "method": "urn:ietf:rfc:9999" } }),
        json!({ "events_requested": "one" }),
        json!({ "description": "x".repeat(201) }),
    ] {
        let answer = receiver.ask(Method::POST, path, Some(wrong.clone())).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

/// §8.1.1, §8.1.2: only what was asked for is given; while paused nothing, and all of it later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_gives_what_was_asked_for_when_it_is_enabled() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let receiver = Receiver::of(&stage).await;
    let client = world.web().await;
    let browser = world.lab.browser();
    let (access, _) = stage.tokens_at(&world.clinic, &browser, &client).await;
    let wanted = json!({ "events_requested": [SESSION_REVOKED] });
    let made = receiver
        .ask(Method::POST, "/ssf/stream", Some(wanted))
        .await
        .json();
    let id = &made["stream_id"];
    assert!(receiver.polled(&[]).await.is_empty(), "from now on");
    let status = |status: &str| json!({ "stream_id": id, "status": status, "reason": "a test" });
    let path = "/ssf/status";
    let paused = receiver
        .ask(Method::POST, path, Some(status("paused")))
        .await
        .json();
    assert_eq!(paused, status("paused"));
    receiver.end_session_and_membership().await;
    assert!(receiver.polled(&[]).await.is_empty());
    let named = format!("{path}?stream_id={}", id.as_str().unwrap());
    assert_eq!(receiver.ask(Method::GET, &named, None).await.json(), paused);
    receiver
        .ask(Method::POST, path, Some(status("enabled")))
        .await;
    let told = receiver.polled(&[]).await;
    let [set] = &told[..] else { panic!("{told:?}") };
    assert_eq!(kind(set), "session-revoked");
    assert_eq!(set["sub_id"]["session"]["id"], access["sid"]);
    assert!(receiver.polled(&[&set["jti"]]).await.is_empty());
    let wrong = receiver
        .ask(Method::POST, path, Some(status("sleeping")))
        .await;
    assert_eq!(wrong.status, 400);
}

/// §8.1.4: the receiver hears its own state again, once it asks, until it acknowledges.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_proves_that_it_works() {
    let stage = Stage::new().await;
    let receiver = Receiver::of(&stage).await;
    let made = receiver
        .ask(Method::POST, "/ssf/stream", Some(json!({})))
        .await
        .json();
    let id = &made["stream_id"];
    let wanted = json!({ "stream_id": id, "state": "a state of mine" });
    let asked = receiver
        .ask(Method::POST, "/ssf/verify", Some(wanted))
        .await;
    assert_eq!(asked.status, 204);
    for _ in 0..2 {
        let told = receiver.polled(&[]).await;
        let [set] = &told[..] else { panic!("{told:?}") };
        assert_eq!(set["events"][VERIFICATION]["state"], "a state of mine");
        assert_eq!(set["sub_id"], json!({ "format": "opaque", "id": id }));
    }
    let told = receiver.polled(&[]).await;
    assert!(receiver.polled(&[&told[0]["jti"]]).await.is_empty());
    let foreign = json!({ "stream_id": "00000000-0000-4000-8000-000000000000" });
    let asked = receiver
        .ask(Method::POST, "/ssf/verify", Some(foreign))
        .await;
    assert_eq!(asked.status, 404);
}

pub(super) fn push_to(endpoint: &str, header: &str) -> Value {
    json!({ "delivery": {
        "method": "urn:ietf:rfc:8935", "endpoint_url": endpoint, "authorization_header": header,
    } })
}

impl Receiver<'_> {
    async fn token(&self, scope: &str) -> Answer {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        self.stage.world.ask_token(&self.client, &form).await
    }

    async fn ask_by(&self, token: &str, method: Method, path: &str, body: &Value) -> Answer {
        let machine = self.stage.world.lab.browser_in(9);
        let request = machine.request(method, path).bearer_auth(token).json(body);
        machine.send(path, request).await
    }
}

/// CAEP Interoperability Profile 1.0 §2.4: a receiver gets a token for itself, of two scopes and no
/// other, and manages its stream by it; nobody else's token does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_manages_its_stream_by_a_token_of_its_own() {
    let stage = Stage::new().await;
    let world = &stage.world;
    let receiver = Receiver::of(&stage).await;
    let given = async |scope: &str| {
        let answer = receiver.token(scope).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    };
    let (reads, manages) = (given("ssf.read").await, given("ssf.manage").await);
    let beyond = receiver.token("ssf.read visits:read").await;
    assert_eq!(beyond.json()["error"], "invalid_scope");
    let path = "/ssf/stream";
    let made = receiver
        .ask_by(&reads, Method::POST, path, &json!({}))
        .await;
    assert_eq!(made.status, 403);
    let challenge = made.header("www-authenticate");
    assert!(
        challenge.contains(r#"error="insufficient_scope", scope="ssf.manage""#),
        "{challenge}"
    );
    let made = receiver
        .ask_by(&manages, Method::POST, path, &json!({}))
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let poll = json!({ "returnImmediately": true });
    for token in [&reads, &manages] {
        let read = receiver.ask_by(token, Method::GET, path, &json!({})).await;
        assert_eq!(read.json(), json!([made.json()]));
        let polled = receiver
            .ask_by(token, Method::POST, "/revocations/poll", &poll)
            .await;
        assert_eq!(polled.status, 200);
    }
    let service = |client: &mut lanyard::oidc::client::NewClient| {
        client.kind = ClientKind::Service;
        client.scopes = vec!["ssf.manage".to_owned()];
    };
    let service = world.register(world.clinic.id, service).await;
    let form = [("grant_type", "client_credentials")];
    let services = world.ask_token(&service, &form).await.json();
    let person = world.web().await;
    let browser = world.lab.browser();
    let (_, persons) = stage.tokens_at(&world.clinic, &browser, &person).await;
    for other in [&services, &persons] {
        let token = other["access_token"].as_str().unwrap();
        let refused = receiver.ask_by(token, Method::GET, path, &json!({})).await;
        assert_eq!(refused.status, 401, "{}", refused.body);
        assert!(refused.header("www-authenticate").contains("invalid_token"));
    }
    let off = format!(
        "update identity.client set status = 'disabled' where client_id = '{}'",
        receiver.client.id
    );
    stage.sql(&off).await;
    let refused = receiver
        .ask_by(&manages, Method::GET, path, &json!({}))
        .await;
    assert_eq!(refused.status, 401, "disabled");
}
