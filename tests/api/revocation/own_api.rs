//! What ends reaches our own API as it is told (design §6), and what holds there while it is not.

use time::Duration;

use super::{Stage, until};
use crate::lab::cluster::tell;
use crate::oidc::Client;

const VISITS: &str = "/api/v1/visits";

impl Stage {
    /// How our own API answers to that token.
    async fn seen(&self, token: &str) -> (u16, String) {
        let answer = self.world.call(VISITS, token).await;
        let code = serde_json::from_str::<serde_json::Value>(&answer.body);
        let code = code
            .ok()
            .and_then(|body| Some(body["code"].as_str()?.to_owned()));
        (answer.status.as_u16(), code.unwrap_or_default())
    }

    /// Signs in in a browser of its own: the browser, the access token and the ID token.
    async fn signed_in(&self, client: &Client) -> (crate::lab::Browser, String, String) {
        let browser = self.world.lab.browser();
        let (_, tokens) = self.tokens_at(&self.world.clinic, &browser, client).await;
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        (browser, text("access_token"), text("id_token"))
    }

    /// From here on nobody can ask the database about a token.
    async fn introspection_breaks(&self) {
        let mut boss = self.world.lab.database.superuser().await;
        let rename = "alter function identity.is_published(text) rename to was_published";
        tell(&mut boss, rename).await;
    }
}

fn refused() -> (u16, String) {
    (401, "invalid_token".to_owned())
}

fn in_doubt() -> (u16, String) {
    (503, "temporarily_unavailable".to_owned())
}

/// Issue 4: from a sign-out in one browser the next request with its token is refused, as soon as
/// it was told; nobody else's is, and nobody is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_out_reaches_our_own_api_as_it_is_told() {
    let stage = Stage::in_real_time().await;
    let lab = &stage.world.lab;
    let client = stage.world.web().await;
    let (leaving, leavers, hint) = stage.signed_in(&client).await;
    let (_, others, _) = stage.signed_in(&client).await;
    stage.introspection_breaks().await;
    assert_eq!(
        stage.seen(&others).await,
        in_doubt(),
        "it follows nothing yet"
    );
    lab.app.feed.begin();
    until("it is told that all is well", async || {
        stage.seen(&others).await.0 == 200
    })
    .await;
    assert_eq!(stage.seen(&leavers).await.0, 200);
    assert_eq!(lab.app.feed.load().0, 0, "it takes no subscriber's place");
    let out = format!("/logout?id_token_hint={hint}");
    leaving.get(&out).await.goes_to("/signed-out");
    until("it is told of the end", async || {
        stage.seen(&leavers).await != (200, String::new())
    })
    .await;
    assert_eq!(stage.seen(&leavers).await, refused());
    assert_eq!(stage.seen(&others).await.0, 200);
}

/// Not up to date, it asks the database about each token; who can't be asked about is not let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_not_told_our_own_api_asks_or_refuses() {
    let stage = Stage::in_real_time().await;
    let lab = &stage.world.lab;
    let client = stage.world.web().await;
    let (leaving, leavers, hint) = stage.signed_in(&client).await;
    let (_, others, _) = stage.signed_in(&client).await;
    lab.app.feed.begin();
    assert_eq!(stage.seen(&leavers).await.0, 200);
    assert_eq!(stage.seen(&others).await.0, 200);
    lab.app.feed.end();
    lab.clock.advance(Duration::seconds(31));
    assert_eq!(stage.seen(&leavers).await.0, 200, "it asked");
    let out = format!("/logout?id_token_hint={hint}");
    leaving.get(&out).await.goes_to("/signed-out");
    lab.clock.advance(Duration::seconds(5));
    assert_eq!(stage.seen(&leavers).await, refused(), "it asked again");
    assert_eq!(stage.seen(&others).await.0, 200);
    stage.introspection_breaks().await;
    lab.clock.advance(Duration::seconds(5));
    assert_eq!(stage.seen(&others).await, in_doubt());
    assert_eq!(
        stage.seen(&leavers).await,
        refused(),
        "what is known stays known"
    );
}
