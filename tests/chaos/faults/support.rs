//! Support begins to act as somebody, and the process ends meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use super::{events, number};
use crate::browser::{Answer, Browser};
use crate::deployment::{PASSWORD, Party, REDIRECT, login};
use crate::scene::Scene;
use crate::seed::Chance;

/// Whose number is free in a scene with one person.
const SAM: usize = 1;
const SCOPES: &str = "openid impersonation:write";
/// Who got no answer tries again after this.
const PAUSE: Duration = Duration::from_millis(100);

/// Somebody of support, signed in to its app.
struct Seat {
    browser: Browser,
    token: String,
}

impl Seat {
    /// From a deployment without support to one whose clinic lets it act at once.
    async fn take(scene: &Scene) -> Self {
        let deployment = &scene.deployment;
        let allowed = ["impersonation", "policy", "juniper", "allowed"];
        deployment.ask(&allowed, "").await;
        let login = login(SAM);
        let words = [
            "account",
            "create",
            "--name",
            "Sam Porter",
            "--login",
            &login,
        ];
        let of_support = ["--tenant", "platform", "--role", "platform_support"];
        let words = [&words[..], &of_support, &["--password-stdin"]].concat();
        deployment.ask(&words, &format!("{PASSWORD} 0\n")).await;
        let audience = format!("{}/api/v1", deployment.issuer);
        let words = ["client", "create", "the-desk", "--name", "Support desk"];
        let of_kind = ["--kind", "web", "--first-party", "--redirect-uri", REDIRECT];
        let asks = ["--audience", &audience, "--id-token-alg", "ES256"];
        let mut words = [&words[..], &of_kind, &asks].concat();
        for scope in SCOPES.split(' ') {
            words.extend(["--scope", scope]);
        }
        let made = deployment.ask(&words, "").await;
        let desk = Party {
            id: "the-desk".to_owned(),
            secret: made["client_secret"].as_str().map(str::to_owned),
            scopes: SCOPES,
        };
        let tokens = scene.person(SAM, Chance::of(1)).enter(&desk).await;
        Self {
            browser: Browser::at(&deployment.issuer),
            token: tokens.access,
        }
    }

    /// Asks until there is an answer.
    async fn ask(&self, path: &str, body: &Value) -> Answer {
        let path = format!("/api/v1/impersonations{path}");
        loop {
            match self.browser.call(&path, &self.token, body).await {
                Ok(answer) if !answer.failed() => return answer,
                Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// As whom: the one person of the scene.
async fn wish(scene: &Scene) -> Value {
    let (clinic, subject): (String, String) = sqlx::query_as(
        "select tenant_id::text, subject_id::text from identity.membership
         join identity.account using (account_id) where login = $1",
    )
    .bind(login(0))
    .fetch_one(&mut scene.postgres.boss().await)
    .await
    .unwrap();
    json!({
        "clinic": clinic, "subject": subject, "reason": "She can't see her next visit",
        "ticket": "HELP-4711", "preset": "read-only", "minutes": 15,
    })
}

/// The start of a grant, its event and the letter about it are there together or not at all; tried
/// again it starts once.
pub(super) async fn begins(scene: &mut Scene) {
    let seat = Seat::take(scene).await;
    let wish = wish(scene).await;
    let active = "select count(*) from identity.impersonation where state = 'active'";
    let letters = "select count(*) from outbox.message where kind = 'support_acts'";
    for (begun, point) in (0..).zip(["Changed", "Recorded", "Committed"]) {
        let asked = seat.ask("", &wish).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        let asked: Value = serde_json::from_str(&asked.body).unwrap();
        let id = asked["id"].as_str().unwrap();
        let start = format!("/{id}/start");
        let armed = format!("{point} impersonation.started");
        scene.deployment.arm(&armed);
        let to = format!("/api/v1/impersonations{start}");
        let lost = seat.browser.call(&to, &seat.token, &Value::Null).await;
        assert!(lost.is_err() || lost.is_ok_and(|answer| answer.failed()));
        scene.falls(0).await;
        let is_done = i64::from(point == "Committed");
        assert_eq!(number(scene, active).await, is_done, "{point}");
        let started = events(scene, "impersonation.started").await;
        assert_eq!(started, begun + is_done, "{point}");
        assert_eq!(number(scene, letters).await, begun + is_done, "{point}");
        scene.serve(0).await;
        let again = seat.ask(&start, &Value::Null).await;
        let status = if is_done == 1 { 409 } else { 200 };
        assert_eq!(again.status, status, "{}", again.body);
        let ended = seat.ask(&format!("/{id}/end"), &Value::Null).await;
        assert_eq!(ended.status, 200, "{}", ended.body);
        for kind in ["impersonation.started", "impersonation.ended"] {
            assert_eq!(events(scene, kind).await, begun + 1, "{point} {kind}");
        }
    }
}
