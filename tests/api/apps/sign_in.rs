//! Signing in to an app, and to the next one without being asked.

use lanyard::apps::Kind;

use super::{AppsLab, Everywhere as _};

const PATIENTS: &str = "Your patients&#39; visits";

/// Issue 2 §4: one sign-in, three apps.
#[tokio::test]
async fn who_signed_in_to_one_app_opens_the_others_without_being_asked() {
    let lab = AppsLab::new().await;
    let browser = lab.lab.browser();
    let front = browser.everywhere(&lab.at(Kind::Patient, "/")).await;
    let front = front.page("Welcome to your patient portal");
    assert!(
        front.body.contains("Juniper Clinic"),
        "the clinic's name is in sight"
    );
    let home = lab.sign_in(&browser, &lab.ruth).await.page("Your visits");
    assert!(home.body.contains("Ruth Okafor"), "the API said who she is");

    browser
        .everywhere(&lab.at(Kind::Clinician, "/"))
        .await
        .page(PATIENTS);
    let console = browser.everywhere(&lab.at(Kind::Console, "/")).await;
    let console = console.page("Your clinic at a glance");
    assert!(
        console.body.contains("id=\"members\""),
        "the API named the members"
    );
}

/// RFC 9207, RFC 6749 §10.12: another browser's, another issuer's, a spent and a made-up callback
/// let nobody in (CLI-08).
#[tokio::test]
async fn a_callback_is_good_once_and_in_its_own_browser() {
    let lab = AppsLab::new().await;
    let mallory = lab.ruths_browser().await;
    // Mallory's own fresh answer, not yet taken.
    let set_out = mallory.get(&lab.at(Kind::Clinician, "/")).await;
    let at_issuer = mallory.get(set_out.location().unwrap().as_str()).await;
    let callback = at_issuer.location().unwrap().to_string();
    assert!(callback.contains("code="), "{callback}");

    let strange = "Something went wrong";
    let victim = lab.lab.browser();
    victim.get(&callback).await.shows(400, strange);
    victim.get(&lab.at(Kind::Clinician, "/?front")).await; // a browser with a cookie of its own
    victim.get(&callback).await.shows(400, strange);

    let iss = lab
        .lab
        .issuer()
        .replace("http://", "http%3A%2F%2F")
        .replace(':', "%3A");
    let other_issuer = callback.replace(&format!("iss={iss}"), "iss=https%3A%2F%2Fevil.example");
    assert_ne!(other_issuer, callback);
    mallory.get(&other_issuer).await.shows(400, strange);

    mallory.get(&callback).await.goes_to("/");
    mallory.get(&callback).await.shows(400, strange);
}

/// Design §2: without a clinic in the host the issuer asks; the app then wears that clinic.
#[tokio::test]
async fn without_a_clinic_in_the_address_a_person_of_two_clinics_chooses() {
    let lab = AppsLab::new().await;
    let harbor = lab.another_clinic("Harbor Center").await;
    lab.lab.join(&lab.ruth, harbor.id, &["patient"]).await;
    let browser = lab.lab.browser();
    let asked = browser
        .everywhere(&lab.at_bare(Kind::Patient, "/sign-in"))
        .await;
    let chooser = lab.prove(&browser, asked, &lab.ruth).await;
    let chosen = browser
        .submit(&chooser, "clinic-form", &[("organization", &harbor.slug)])
        .await;
    let home = browser.onward(chosen).await.page("Your visits");
    assert!(home.body.contains("Harbor Center"));
    assert!(!home.body.contains("Juniper Clinic"));
}

/// TEN-01: one browser, two clinics, two sessions; neither shows in the other.
#[tokio::test]
async fn the_same_person_at_another_clinics_host_is_somebody_else() {
    let lab = AppsLab::new().await;
    let harbor = lab.another_clinic("Harbor Center").await;
    let browser = lab.ruths_browser().await;
    // No member there: not signed in there, and nothing of Juniper's shows.
    let front = browser
        .everywhere(&lab.at_clinic(Kind::Patient, &harbor, "/"))
        .await;
    let front = front.page("Welcome to your patient portal");
    assert!(front.body.contains("Harbor Center") && !front.body.contains("Juniper"));
    browser
        .get(&lab.at(Kind::Patient, "/"))
        .await
        .page("Your visits");
}
