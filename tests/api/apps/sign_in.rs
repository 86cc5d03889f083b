//! Signing in to an app, and to the next one without being asked.

use lanyard::apps::Kind;

use super::{AppsLab, Everywhere as _};

/// Issue 2 §4: one sign-in, three apps.
#[tokio::test]
async fn who_signed_in_to_one_app_opens_the_others_without_being_asked() {
    let lab = AppsLab::new().await;
    let browser = lab.lab.browser();
    browser
        .everywhere(&lab.at(Kind::Patient, "/"))
        .await
        .page("Welcome to your patient portal");
    let home = lab.sign_in(&browser, &lab.ruth).await.page("Your visits");
    assert!(
        home.body.contains("Juniper Clinic"),
        "the clinic's name is in sight"
    );
    assert!(home.body.contains("Ruth Okafor"));

    let clinician = browser.everywhere(&lab.at(Kind::Clinician, "/")).await;
    clinician.page("Your patients&#39; visits");
    let console = browser.everywhere(&lab.at(Kind::Console, "/")).await;
    let console = console.page("Your clinic at a glance");
    assert!(
        console.body.contains("Ruth Okafor"),
        "the API named the members"
    );
}
