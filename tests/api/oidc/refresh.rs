//! Refreshing while the person does something on our pages. The rules: `tests/api/refresh`.

use serde_json::Value;

use super::{Browser, Client, PASSWORD, World, assert_refused};

const NEW_PASSWORD: &str = "nine patient herons wading upstream";

/// A sign-in whose last answer was lost: what she holds, and what she should have been given.
struct Lost {
    browser: Browser,
    held: String,
    successor: String,
}

impl World {
    async fn loses_an_answer(&self, client: &Client) -> Lost {
        let (browser, tokens) = self.tokens(client).await;
        let text = |json: &Value| json["refresh_token"].as_str().unwrap().to_owned();
        let held = text(&tokens);
        let successor = text(&self.refresh(client, &held).await.json());
        Lost {
            browser,
            held,
            successor,
        }
    }

    /// Whether a retry is still given the successor; else both are refused.
    async fn retries(&self, client: &Client, lost: &Lost) -> bool {
        let retry = self.refresh(client, &lost.held).await;
        if retry.status == 200 {
            assert_eq!(retry.json()["refresh_token"], lost.successor.as_str());
            return true;
        }
        assert_refused(&retry, 400, "invalid_grant");
        let answer = self.refresh(client, &lost.successor).await;
        assert_refused(&answer, 400, "invalid_grant");
        false
    }
}

/// Design §5 rule 5, RT-14: signed out in this browser, or everywhere, between answer and retry.
#[tokio::test]
async fn a_logout_between_answer_and_retry_ends_both_tokens() {
    let world = World::new().await;
    for client in [world.spa().await, world.web().await] {
        let elsewhere = world.loses_an_answer(&client).await;
        let here = world.loses_an_answer(&client).await;
        let page = here.browser.visit("/logout").await;
        let answer = here.browser.submit(&page, "logout-form", &[]).await;
        here.browser.follow(answer).await;
        assert!(!world.retries(&client, &here).await);
        assert!(world.retries(&client, &elsewhere).await);

        let page = elsewhere.browser.visit("/account").await;
        elsewhere.browser.submit(&page, "end-all", &[]).await;
        assert!(!world.retries(&client, &elsewhere).await);
    }
}

/// Design §5 rule 5, RT-13: a new password ends what hangs on the other sessions; the one that
/// proved it goes on.
#[tokio::test]
async fn a_password_change_between_answer_and_retry_spares_its_own_session_alone() {
    let world = World::new().await;
    let client = world.spa().await;
    let elsewhere = world.loses_an_answer(&client).await;
    let here = world.loses_an_answer(&client).await;
    let page = here.browser.visit("/account/password").await;
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", NEW_PASSWORD),
    ];
    let answer = here
        .browser
        .submit(&page, "change-password-form", &fields)
        .await;
    here.browser.follow(answer).await.page("Your account");
    assert!(!world.retries(&client, &elsewhere).await);
    assert!(world.retries(&client, &here).await);
}
