//! A verifier's side of the stream: it is cut off, and goes on where it was.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{RequestBuilder, Response, Url};
use serde_json::Value;

use crate::deployment::Party;
use crate::scene::Scene;

/// The audience of the people's apps.
const AUDIENCE: &str = "https://api.example.test";
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
/// Nobody hears so long of an end that there is.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Listener {
    api: Party,
    /// Everything up to here was heard.
    position: i64,
    /// The claims of every security event token, as they came.
    heard: Vec<Value>,
    /// What had ended before.
    over: BTreeSet<String>,
}

impl Listener {
    /// Registers the API and begins where its log is now.
    pub(super) async fn new(scene: &Scene) -> Self {
        let words = ["client", "create", "the-api", "--name", "An API"];
        let of_kind = ["--kind", "resource", "--audience", AUDIENCE];
        let words = [&words[..], &of_kind, &["--tenant", "juniper"]].concat();
        let made = scene.deployment.ask(&words, "").await;
        let secret = made["client_secret"].as_str().unwrap().to_owned();
        let mut listener = Self {
            api: Party {
                id: "the-api".to_owned(),
                secret: Some(secret),
                scopes: "",
            },
            position: 0,
            heard: Vec::new(),
            over: ended(scene).await,
        };
        let asked = listener.request(scene, "/revocations/snapshot");
        let snapshot: Value = asked.send().await.unwrap().json().await.unwrap();
        listener.position = snapshot["position"].as_i64().unwrap();
        listener
    }

    /// To the replica itself: a proxy that gathers answers passes no stream on.
    fn request(&self, scene: &Scene, path: &str) -> RequestBuilder {
        let issuer: Url = scene.deployment.issuer.parse().unwrap();
        let host = format!("localhost:{}", issuer.port().unwrap());
        let at = scene.replicas().next().expect("it runs").issuer;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client
            .get(format!("http://{at}{path}"))
            .header("host", host)
            .basic_auth(&self.api.id, self.api.secret.as_deref())
    }

    async fn listen(&self, scene: &Scene) -> reqwest::Result<Response> {
        let request = self.request(scene, "/revocations");
        let position = self.position.to_string();
        request.header("last-event-id", position).send().await
    }

    /// Hears what comes until the server is gone.
    pub(super) async fn hear_until_cut(&mut self, scene: &Scene) {
        // Gone before it answered is gone, too.
        if let Ok(mut stream) = self.listen(scene).await {
            assert_eq!(stream.status(), 200);
            let mut text = String::new();
            while let Ok(Some(chunk)) = stream.chunk().await {
                self.take(&mut text, &chunk);
            }
        }
    }

    /// Hears what comes until every end that there is was told, each once.
    pub(super) async fn hear_all(&mut self, scene: &Scene) {
        let wanted: Vec<String> = ended(scene).await.difference(&self.over).cloned().collect();
        let mut stream = self.listen(scene).await.unwrap();
        let mut text = String::new();
        let hearing = async {
            while !wanted.iter().all(|sid| self.times(sid) > 0) {
                let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
                self.take(&mut text, &chunk);
            }
        };
        tokio::time::timeout(PATIENCE, hearing).await.expect("told");
        for sid in &wanted {
            assert_eq!(self.times(sid), 1, "{sid}: {:?}", self.heard);
        }
        let ids: BTreeSet<&str> = self
            .heard
            .iter()
            .filter_map(|c| c["jti"].as_str())
            .collect();
        assert_eq!(ids.len(), self.heard.len(), "a jti came twice");
    }

    /// How many ends of sessions were told.
    pub(super) fn ends(&self) -> usize {
        self.heard.iter().filter(|claims| is_an_end(claims)).count()
    }

    fn times(&self, sid: &str) -> usize {
        let of_it = |claims: &&Value| is_an_end(claims) && claims.to_string().contains(sid);
        self.heard.iter().filter(of_it).count()
    }

    /// Takes the messages that are whole (server-sent events).
    fn take(&mut self, text: &mut String, chunk: &[u8]) {
        text.push_str(std::str::from_utf8(chunk).unwrap());
        while let Some((message, rest)) = text.split_once("\n\n") {
            let field = |name: &str| {
                let line = message.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("no {name} in {message}"))
                    .trim()
            };
            self.position = field("id:").parse().unwrap();
            let data: Value = serde_json::from_str(field("data:")).unwrap();
            if let Some(set) = data["set"].as_str() {
                let payload = set.split('.').nth(1).unwrap();
                let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
                self.heard.push(serde_json::from_slice(&payload).unwrap());
            }
            *text = rest.to_owned();
        }
    }
}

fn is_an_end(claims: &Value) -> bool {
    claims["events"].get(SESSION_REVOKED).is_some()
}

/// The names that clinics have for the sessions that are over.
async fn ended(scene: &Scene) -> BTreeSet<String> {
    let question = "select t.sid::text from identity.tenant_session t
         join identity.session s using (session_id) where s.end_reason is not null";
    let boss = &mut scene.postgres.boss().await;
    let rows: Vec<String> = sqlx::query_scalar(question).fetch_all(boss).await.unwrap();
    rows.into_iter().collect()
}
