//! How long a session goes on, in all apps and tabs at once.

use std::collections::BTreeSet;

use lanyard::apps::Kind;
use time::Duration;

use super::{AppsLab, Everywhere as _};

/// Design §4: polling and refreshing are no activity; who does nothing is signed out everywhere.
#[tokio::test]
async fn who_does_nothing_is_signed_out_of_all_apps_although_every_tab_polls() {
    let lab = AppsLab::new().await;
    let browser = lab.ruths_browser().await;
    browser.everywhere(&lab.at(Kind::Clinician, "/")).await;
    // Her strictest role allows 15 minutes.
    lab.poll_for(&browser, 14, &[Kind::Patient, Kind::Clinician])
        .await;
    let told = browser.get(&lab.at(Kind::Patient, "/session")).await.json();
    assert_eq!(told["signed_in"], true);

    lab.poll_for(&browser, 1, &[]).await;
    let told = browser.get(&lab.at(Kind::Patient, "/session")).await.json();
    assert_eq!(
        (&told["signed_in"], &told["reason"]),
        (&false.into(), &"idle".into())
    );
    let page = browser.everywhere(&lab.at(Kind::Clinician, "/")).await;
    page.page("You were signed out because you were away");
}

/// Design §4: working in one app keeps the others open.
#[tokio::test]
async fn working_in_one_app_keeps_the_others_open() {
    let lab = AppsLab::new().await;
    let browser = lab.ruths_browser().await;
    browser.everywhere(&lab.at(Kind::Clinician, "/")).await;
    for _ in 0..3 {
        lab.poll_for(&browser, 10, &[Kind::Clinician]).await;
        browser
            .get(&lab.at(Kind::Patient, "/"))
            .await
            .page("Your visits");
        lab.activity_is_known().await;
    }
    let told = browser
        .get(&lab.at(Kind::Clinician, "/session"))
        .await
        .json();
    assert_eq!(
        told["signed_in"], true,
        "half an hour after she last did something there"
    );
}

/// The form of the warning: a person's act, and the answer says so.
#[tokio::test]
async fn saying_that_she_is_still_there_moves_the_end() {
    let lab = AppsLab::new().await;
    let browser = lab.ruths_browser().await;
    let home = browser.get(&lab.at(Kind::Patient, "/")).await;
    let before = browser.get(&lab.at(Kind::Patient, "/session")).await.json();
    lab.lab.clock.advance(Duration::minutes(14));
    let csrf = home.hidden("csrf");
    let to = lab.at(Kind::Patient, "/session/activity");
    let request = browser
        .request(reqwest::Method::POST, &to)
        .header("accept", "application/json")
        .form(&[("csrf", csrf.as_str())]);
    let after = browser.send(&to, request).await.json();
    let moved = |told: &serde_json::Value| told["idle_ends_at"].as_i64().unwrap();
    assert!(
        moved(&after) >= moved(&before) + 14 * 60_000,
        "{before} {after}"
    );
    lab.activity_is_known().await;
    lab.lab.clock.advance(Duration::minutes(14));
    browser
        .get(&lab.at(Kind::Patient, "/"))
        .await
        .page("Your visits");
}

/// RT-01: two tabs, a poll and a page at once use one refresh token once.
#[tokio::test]
async fn tabs_that_ask_at_the_same_moment_refresh_once() {
    let lab = AppsLab::new().await;
    let browser = lab.ruths_browser().await;
    for _ in 0..2 {
        lab.lab.clock.advance(Duration::minutes(5));
        let to = lab.at(Kind::Patient, "/session");
        let mut tabs = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let (tab, to) = (browser.clone(), to.clone());
            tabs.spawn(async move { tab.get(&to).await.json()["idle_ends_at"].clone() });
        }
        let told: BTreeSet<String> = tabs
            .join_all()
            .await
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(told.len(), 1, "all tabs are told the same: {told:?}");
    }
    let events = lab.lab.events_in(lab.clinic.id).await;
    let of = |kind: &str| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!(of("refresh.rotated"), 2);
    assert_eq!(of("refresh.retried") + of("refresh.reuse_detected"), 0);
}

/// Design §4: the absolute end comes whatever she does, and the page says which end it was.
#[tokio::test]
async fn the_absolute_end_comes_however_busy_she_is() {
    let lab = AppsLab::new().await;
    let browser = lab.ruths_browser().await;
    for _ in 0..71 {
        lab.lab.clock.advance(Duration::minutes(10));
        browser
            .get(&lab.at(Kind::Patient, "/"))
            .await
            .page("Your visits");
        lab.activity_is_known().await;
    }
    lab.lab.clock.advance(Duration::minutes(10));
    let page = browser.everywhere(&lab.at(Kind::Patient, "/")).await;
    page.page("Your session has reached its end");
}
