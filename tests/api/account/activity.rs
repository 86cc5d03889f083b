use reqwest::Method;
use serde_json::Value;
use time::Duration;

use crate::lab::{Answer, Browser, Lab};

async fn facts(browser: &Browser) -> Value {
    browser.get("/session").await.json()
}

async fn report(browser: &Browser, csrf: &str) -> Answer {
    let path = "/session/activity";
    let request = browser
        .request(Method::POST, path)
        .header("accept", "application/json")
        .header("sec-fetch-site", "same-origin")
        .form(&[("csrf", csrf)]);
    browser.send(path, request).await
}

fn milliseconds(at: time::OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1000
}

/// Asking when the session ends does not move its end; doing something does.
#[tokio::test]
async fn asking_is_no_activity_and_a_report_is() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    let csrf = browser.get("/account").await.hidden("csrf");
    let (began, idle) = (lab.now(), lab.app.config.session.idle);
    for _ in 0..3 {
        lab.clock.advance(Duration::minutes(5));
        let seen = facts(&browser).await;
        assert_eq!(seen["signed_in"], true);
        assert_eq!(seen["server_now"], milliseconds(lab.now()));
        assert_eq!(seen["idle_ends_at"], milliseconds(began + idle));
    }
    let absolute = lab.app.config.session.absolute;
    let told = report(&browser, &csrf).await;
    assert_eq!(told.status, 200);
    for seen in [told.json(), facts(&browser).await] {
        assert_eq!(seen["idle_ends_at"], milliseconds(lab.now() + idle));
        assert_eq!(seen["session_ends_at"], milliseconds(began + absolute));
    }
}

/// What is over is not brought to life by a late report.
#[tokio::test]
async fn a_report_after_the_end_says_that_it_is_over() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    let csrf = browser.get("/account").await.hidden("csrf");
    lab.clock.advance(lab.app.config.session.idle);
    let told = report(&browser, &csrf).await.json();
    assert_eq!(
        (told["signed_in"].as_bool(), told["reason"].as_str()),
        (Some(false), Some("idle"))
    );
    assert_eq!(facts(&browser).await["signed_in"], false);
}

/// Without script the same form leads back to a page.
#[tokio::test]
async fn the_form_without_script_leads_to_a_page() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.signed_in(&ada).await;
    let page = browser.get("/account").await;
    lab.clock.advance(Duration::minutes(29));
    browser
        .submit(&page, "session-stay", &[])
        .await
        .goes_to("/account");
    lab.clock.advance(Duration::minutes(29));
    browser.get("/account").await.page("Your account");
}

#[tokio::test]
async fn the_signed_out_page_says_why_and_is_no_place_for_who_is_signed_in() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.browser();
    assert_eq!(facts(&browser).await["signed_in"], false);
    for (reason, sentence) in [
        ("?reason=idle", "You were signed out because you were away"),
        ("?reason=expired", "Your session has reached its end"),
        ("?reason=elsewhere", "Your session was ended elsewhere"),
        ("?reason=signed_out", "You are signed out"),
        ("?reason=<b>", "You are signed out"),
        ("", "You are signed out"),
    ] {
        let page = browser
            .get(&format!("/signed-out{reason}"))
            .await
            .page(sentence);
        assert!(page.body.contains("href=\"/account\""), "{}", page.body);
    }
    let browser = lab.signed_in(&ada).await;
    browser
        .get("/signed-out?reason=idle")
        .await
        .goes_to("/account");
}
