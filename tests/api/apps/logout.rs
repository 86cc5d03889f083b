//! Signing out of one app is signing out of all.

use lanyard::apps::Kind;
use reqwest::StatusCode;

use super::{AppsLab, Everywhere as _};

/// RP-Initiated Logout §2; issue 2 §4.
#[tokio::test]
async fn who_signs_out_of_one_app_is_signed_out_of_all() {
    let lab = AppsLab::new().await;
    let browser = lab.ruths_browser().await;
    browser.everywhere(&lab.at(Kind::Clinician, "/")).await;
    let console = browser.everywhere(&lab.at(Kind::Console, "/")).await;

    // Longer after than what an app takes for fresh.
    lab.lab.clock.advance(time::Duration::seconds(30));
    let gone = browser.submit(&console, "sign-out", &[]).await;
    browser.onward(gone).await.page("You are signed out");
    for kind in [Kind::Patient, Kind::Clinician] {
        let page = browser.everywhere(&lab.at(kind, "/")).await;
        page.page("Your session was ended elsewhere");
    }
    // And asking again finds nobody: the issuer's session is over.
    for kind in [Kind::Patient, Kind::Clinician, Kind::Console] {
        let front = browser.everywhere(&lab.at(kind, "/")).await;
        assert!(
            front.sentence().starts_with("Welcome to your"),
            "{}",
            front.sentence()
        );
    }
}

/// An `id_token_hint` lives five minutes and is good at logout after that (issue 2 §4).
#[tokio::test]
async fn signing_out_works_after_the_id_token_has_expired() {
    let lab = AppsLab::new().await;
    let browser = lab.ruths_browser().await;
    let home = browser.get(&lab.at(Kind::Patient, "/")).await;
    lab.lab.clock.advance(time::Duration::minutes(14));
    let gone = browser.submit(&home, "sign-out", &[]).await;
    browser.onward(gone).await.page("You are signed out");
}

/// WEB-04: another site's form signs nobody out.
#[tokio::test]
async fn a_form_without_the_pages_own_token_changes_nothing() {
    let lab = AppsLab::new().await;
    let browser = lab.ruths_browser().await;
    let other = lab.ruths_browser().await;
    let theirs = other.get(&lab.at(Kind::Patient, "/")).await.hidden("csrf");
    for csrf in ["", "forged", &theirs] {
        for path in ["/sign-out", "/session/activity"] {
            let sent = browser
                .post(&lab.at(Kind::Patient, path), &[("csrf", csrf)])
                .await;
            assert_eq!(sent.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    browser
        .get(&lab.at(Kind::Patient, "/"))
        .await
        .page("Your visits");
}
