use crate::lab::Lab;
use crate::lab::world::PASSWORD;

/// The whole way, twice round: account page, identifier, password, account page.
#[tokio::test]
async fn a_person_signs_in_for_her_account_page() {
    let lab = Lab::new().await;
    let ada = lab.person("Ada Byron").await;
    let clinic = lab.clinic("Juniper Health").await;
    lab.join(&ada, clinic.id, &["patient"]).await;
    for _ in 0..2 {
        let browser = lab.browser();
        let answer = browser.sign_in(&ada.login, PASSWORD).await;
        assert_eq!(answer.goes_to("/account"), "/account");
        let page = browser.follow(answer).await.page("Your account");
        for shown in [
            &ada.login,
            "Juniper Health",
            "Patient",
            "Firefox on Linux",
            "This device",
        ] {
            assert!(page.body.contains(shown), "{shown}: {}", page.body);
        }
    }
    let kinds: Vec<_> = lab
        .events_of(&ada)
        .await
        .into_iter()
        .map(|event| event.kind)
        .collect();
    let once = ["session.device_first_seen", "session.signed_in"];
    assert_eq!(kinds, [once, once].concat());
}
