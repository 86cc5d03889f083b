//! What ends reaches the verifiers (design §6): by the stream, by a snapshot, by a poll.

mod causes;
mod own_api;
mod plans;
mod poll;
mod push;
mod resuming;
mod ssf;
mod stale_keys;
mod standing;
mod stream;
mod verifier;

use std::time::Duration;

use http::Method;
use lanyard::app::App;
use lanyard::ids::TenantId;
use lanyard::oidc::client::ClientKind;
use lanyard::signing::{self, TokenType};
use serde_json::Value;

use crate::lab::world::Clinic;
use crate::lab::{Answer, Browser, Lab};
use crate::oidc::{Client, World, claims, code_of};

/// Longer than anything takes on a busy machine; nobody waits so long for what comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Two clinics with a person in both, on a database of their own: whoever is told of everything is
/// told of nothing else.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) other: Clinic,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::on(Lab::apart(|_| ()).await).await
    }

    /// By the machine's clock, as the database's own, at an instant after all that was told so far:
    /// what is issued from now on is not meant by it.
    pub(crate) async fn in_real_time() -> Self {
        let stage = Self::on(Lab::in_real_time(|_| ()).await).await;
        head(&stage.world.lab).await;
        stage.world.lab.clock.advance(time::Duration::SECOND);
        stage
    }

    async fn on(lab: Lab) -> Self {
        let world = World::on(lab, &["patient"]).await;
        let other = world.lab.clinic("Larch Clinic").await;
        world.lab.join(&world.person, other.id, &["patient"]).await;
        Self { world, other }
    }

    pub(crate) async fn resource(&self, of: TenantId, audience: Option<&str>) -> Client {
        self.world.lab.platform().await;
        let resource = self.world.register(of, |client| {
            client.kind = ClientKind::Resource;
            client.scopes.clear();
            if let Some(audience) = audience {
                client.audiences = vec![audience.to_owned()];
            }
        });
        resource.await
    }

    pub(crate) async fn platforms(&self) -> Client {
        self.resource(TenantId::PLATFORM, None).await
    }

    /// Signs in at a clinic, in a browser that may be signed in already; the access token's claims.
    pub(crate) async fn tokens_at(
        &self,
        clinic: &Clinic,
        browser: &Browser,
        client: &Client,
    ) -> (Value, Value) {
        let world = &self.world;
        let request = world.request(client, &[("organization", &clinic.slug)]);
        let known = browser.visit(&request).await.location();
        let back = match known.filter(|url| url.query().is_some_and(|q| q.contains("code="))) {
            Some(back) => back,
            None => world.sign_in(browser, &request).await,
        };
        let tokens = world.redeem(client, &code_of(&back)).await.json();
        (claims(&tokens["access_token"]), tokens)
    }

    pub(crate) async fn sql(&self, statement: &str) {
        let mut boss = self.world.lab.database.superuser().await;
        crate::lab::cluster::tell(&mut boss, statement).await;
    }
}

/// A verifier's clock: the lab's own.
pub(crate) struct LabTime(pub(crate) App);

impl lanyard_verifier::Clock for LabTime {
    fn now(&self) -> time::OffsetDateTime {
        self.0.env.now()
    }
}

/// Asks again and again until it is so, for as long as anything takes on a busy machine.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    let asked = tokio::time::timeout(PATIENCE, asking).await;
    assert!(asked.is_ok(), "{what}");
}

/// A request as a resource server.
pub(crate) async fn ask(
    lab: &Lab,
    client: &Client,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let machine = lab.browser_in(9);
    let request = machine.request(method, path);
    let request = request.basic_auth(&client.id, client.secret.as_deref());
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    machine.send(path, request).await
}

pub(crate) async fn snapshot(lab: &Lab, client: &Client) -> (i64, Vec<Value>) {
    let answer = ask(lab, client, Method::GET, "/revocations/snapshot", None).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = answer.json();
    let sets = body["sets"].as_array().unwrap().iter();
    (
        body["position"].as_i64().unwrap(),
        sets.map(|set| opened(lab, set)).collect(),
    )
}

/// The claims of a SET that the lab's own keys signed.
#[track_caller]
pub(crate) fn opened(lab: &Lab, set: &Value) -> Value {
    let ring = lab.app.ring();
    signing::open(&ring, TokenType::SecurityEvent, set.as_str().unwrap()).expect("ours")
}

/// The last part of the one event type in a SET.
pub(crate) fn kind(set: &Value) -> String {
    let events = set["events"].as_object().unwrap();
    assert_eq!(events.len(), 1, "{set}");
    let uri = events.keys().next().unwrap();
    uri.rsplit('/').next().unwrap().to_owned()
}

/// What the one event of a SET says.
pub(crate) fn event(set: &Value) -> &Value {
    set["events"].as_object().unwrap().values().next().unwrap()
}

/// A message of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: Option<i64>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// A subscriber.
pub(crate) struct Ear {
    response: reqwest::Response,
    unread: String,
    heartbeats: u32,
}

impl Ear {
    /// Connects, from where it was if it says so.
    pub(crate) async fn at(lab: &Lab, client: &Client, after: Option<i64>) -> Self {
        let machine = lab.browser_in(9);
        let mut request = machine
            .request(Method::GET, "/revocations")
            .basic_auth(&client.id, client.secret.as_deref());
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            unread: String::new(),
            heartbeats: 0,
        }
    }

    /// Connects, and has heard that it knows everything: what ends from now on is told.
    pub(crate) async fn now(lab: &Lab, client: &Client) -> Self {
        let mut ear = Self::at(lab, client, None).await;
        let first = ear.message().await.expect("it goes on");
        assert_eq!(first.name, "lag", "{first:?}");
        ear
    }

    /// The next message, whichever; `None`: the stream has ended.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        loop {
            if let Some((message, rest)) = self.unread.split_once("\n\n") {
                let parsed = parse(message);
                self.unread = rest.to_owned();
                return Some(parsed);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            match chunk.expect("something comes").ok()? {
                Some(bytes) => self.unread += std::str::from_utf8(&bytes).unwrap(),
                None => return None,
            }
        }
    }

    /// The next set with its position.
    pub(crate) async fn set(&mut self, lab: &Lab) -> (i64, Value) {
        loop {
            let message = self.message().await.expect("it goes on");
            match message.name.as_str() {
                "set" => return (message.id.unwrap(), opened(lab, &message.data["set"])),
                "lag" => self.heartbeats += 1,
                _ => panic!("{message:?}"),
            }
        }
    }

    /// All sets up to that position, as a heartbeat says that there are no more.
    pub(crate) async fn sets_until(&mut self, lab: &Lab, position: i64) -> Vec<(i64, Value)> {
        let mut sets = Vec::new();
        loop {
            let message = self.message().await.expect("it goes on");
            let id = message.id.unwrap();
            match message.name.as_str() {
                "set" => sets.push((id, opened(lab, &message.data["set"]))),
                "lag" if id >= position => return sets,
                _ => {}
            }
        }
    }
}

fn parse(message: &str) -> Message {
    let field = |name: &str| {
        let mut lines = message.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    Message {
        id: field("id").map(|id| id.parse().unwrap()),
        name: field("event").unwrap().to_owned(),
        data: serde_json::from_str(field("data").unwrap()).unwrap(),
    }
}

/// The last position that was given.
pub(crate) async fn head(lab: &Lab) -> i64 {
    lanyard::revocation::service::sequence(&lab.app)
        .await
        .unwrap()
}
