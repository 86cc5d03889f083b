//! Apps that follow the protocol while an operator is at work: each refreshes as soon as it was
//! answered, and every answer has to be a new pair.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use super::command::Site;
use crate::lab::Browser;
use crate::oidc::{VERIFIER, challenge};

const REDIRECT: &str = "https://app.example.test/cb";

/// Where a server that said so listens.
pub(super) fn issuer_at(ready: &Value) -> SocketAddr {
    let listening = ready["listening"]["issuer"][0].as_str().unwrap();
    listening.parse().unwrap()
}

/// A browser at an address of its own, before that server.
pub(super) fn browser(ready: &Value, number: u8) -> Browser {
    let own = IpAddr::V4(Ipv4Addr::new(127, 100, 250, number));
    Browser::new(ready["issuer"].as_str().unwrap(), issuer_at(ready), own)
}

/// One client of a clinic, with what its last refresh gave it.
#[derive(Debug)]
pub(super) struct Honest {
    at: Browser,
    id: String,
    secret: Option<String>,
    refresh_token: String,
}

impl Honest {
    /// Registered by the operator; someone who is signed in signs in to it.
    ///
    /// - `kind`: `web`, with a secret, or `spa`, without
    pub(super) async fn enter(site: &Site, kind: &str, id: &str, person: &Browser) -> Self {
        let create = format!(
            "client create {id} --name App --kind {kind} --tenant juniper --first-party \
             --scope openid --audience https://api.example.test --redirect-uri {REDIRECT}"
        );
        let created = site.ask(&create);
        let mut client = Self {
            at: person.clone(),
            id: id.to_owned(),
            secret: created["client_secret"].as_str().map(str::to_owned),
            refresh_token: String::new(),
        };
        let code = client.code(person).await;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        client.ask(&fields).await;
        client
    }

    async fn code(&self, person: &Browser) -> String {
        let challenge = challenge(VERIFIER);
        let parameters = [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", REDIRECT),
            ("scope", "openid"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query = Url::parse_with_params("http://localhost/authorize", parameters).unwrap();
        let answer = person
            .visit(&format!("/authorize?{}", query.query().unwrap()))
            .await;
        let back = answer.location().expect("back to the client");
        let code = back.query_pairs().find(|(name, _)| name == "code");
        let code = code.unwrap_or_else(|| panic!("no code: {back}"));
        code.1.into_owned()
    }

    /// One question at `/token`, whose answer is another refresh token.
    async fn ask(&mut self, fields: &[(&str, &str)]) {
        let mut fields = fields.to_vec();
        let mut request = self.at.request(Method::POST, "/token");
        match &self.secret {
            Some(secret) => request = request.basic_auth(&self.id, Some(secret)),
            None => fields.push(("client_id", &self.id)),
        }
        let answer = self.at.send("/token", request.form(&fields)).await;
        assert_eq!(answer.status, 200, "{}: {}", self.id, answer.body);
        let given = answer.json()["refresh_token"].as_str().unwrap().to_owned();
        assert_ne!(given, self.refresh_token, "{}", self.id);
        self.refresh_token = given;
    }

    async fn refresh(&mut self) {
        let presented = self.refresh_token.clone();
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", presented.as_str()),
        ];
        self.ask(&fields).await;
    }

    /// The same client before another server of the deployment.
    pub(super) fn through(self, server: SocketAddr) -> Self {
        Self {
            at: self.at.through(server),
            ..self
        }
    }
}

/// Several of them, refreshing all the time.
#[derive(Debug)]
pub(super) struct Crowd {
    stop: Arc<AtomicBool>,
    rounds: Vec<watch::Receiver<usize>>,
    running: JoinSet<Honest>,
}

impl Crowd {
    pub(super) fn of(clients: Vec<Honest>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut rounds, mut running) = (Vec::new(), JoinSet::new());
        for mut client in clients {
            let (sender, receiver) = watch::channel(0);
            rounds.push(receiver);
            let stop = Arc::clone(&stop);
            running.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    client.refresh().await;
                    sender.send_modify(|count| *count += 1);
                }
                client
            });
        }
        Self {
            stop,
            rounds,
            running,
        }
    }

    /// Until each has begun and ended a refresh from now on.
    pub(super) async fn goes_on(&mut self) {
        for client in &mut self.rounds {
            let before = *client.borrow_and_update();
            let went_on = client.wait_for(|count| *count > before + 1).await;
            went_on.expect("no client was refused");
        }
    }

    /// Ends them after their last answer; gives them back, with how often they refreshed.
    pub(super) async fn end(self) -> (Vec<Honest>, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let clients = self.running.join_all().await;
        let rounds = self.rounds.iter().map(|count| *count.borrow());
        (clients, rounds.sum())
    }
}
