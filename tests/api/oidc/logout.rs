//! RP-initiated logout.

use time::Duration;
use url::Url;

use super::{AFTER_LOGOUT, World, assert_refused, parameter};

fn logout(world: &World, more: &[(&str, &str)]) -> String {
    let mut url = Url::parse(&format!("{}/logout", world.lab.issuer())).unwrap();
    for (name, value) in more {
        url.query_pairs_mut().append_pair(name, value);
    }
    url.into()
}

/// OpenID Connect RP-Initiated Logout 1.0 §2–§3: an expired hint is good; LOUT-03: what is alive
/// after it.
#[tokio::test]
async fn a_hint_signs_out_everywhere_and_leads_back_with_state() {
    let world = World::new().await;
    let client = world.web().await;
    for _ in 0..2 {
        let (browser, tokens) = world.tokens(&client).await;
        world.lab.clock.advance(Duration::minutes(20));
        let hint = tokens["id_token"].as_str().unwrap();
        let address = logout(
            &world,
            &[
                ("id_token_hint", hint),
                ("post_logout_redirect_uri", AFTER_LOGOUT),
                ("state", "s 1"),
            ],
        );
        let back = browser.get(&address).await.location().unwrap();
        assert!(back.as_str().starts_with(AFTER_LOGOUT), "{back}");
        assert_eq!(parameter(&back, "state").as_deref(), Some("s 1"));
        let refresh = tokens["refresh_token"].as_str().unwrap();
        assert_refused(&world.refresh(&client, refresh).await, 400, "invalid_grant");
        let silent = world.request(&client, &[("prompt", "none")]);
        let back = browser.get(&silent).await.location().unwrap();
        assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));
        let fresh = world
            .call("/userinfo", tokens["access_token"].as_str().unwrap())
            .await;
        assert_eq!(fresh.status, 401);
    }
}

/// LOUT-01: off our site only to what the hint's client registered.
#[tokio::test]
async fn logout_never_leads_to_an_unregistered_address() {
    let world = World::new().await;
    let (client, other) = (world.web().await, world.web().await);
    for address in [
        "https://evil.test/",
        "//evil.test",
        "javascript:alert(1)",
        "https://app.example.test/bye/",
        "https://app.example.test/cb",
    ] {
        let (browser, tokens) = world.tokens(&client).await;
        let hint = tokens["id_token"].as_str().unwrap();
        let more = [
            ("id_token_hint", hint),
            ("post_logout_redirect_uri", address),
        ];
        browser
            .get(&logout(&world, &more))
            .await
            .goes_to("/signed-out");
    }
    let (browser, tokens) = world.tokens(&client).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let more = [
        ("id_token_hint", hint),
        ("client_id", other.id.as_str()),
        ("post_logout_redirect_uri", AFTER_LOGOUT),
    ];
    browser
        .get(&logout(&world, &more))
        .await
        .page("Do you want to sign out?");
    let without = [("post_logout_redirect_uri", AFTER_LOGOUT)];
    browser
        .get(&logout(&world, &without))
        .await
        .page("Do you want to sign out?");
}

/// LOUT-02: without a hint nothing ends until the person says so on our own page.
#[tokio::test]
async fn without_a_hint_the_person_is_asked() {
    let world = World::new().await;
    let client = world.web().await;
    let (browser, tokens) = world.tokens(&client).await;
    let page = browser
        .get("/logout")
        .await
        .page("Do you want to sign out?");
    assert!(page.body.contains(&world.person.login));
    let silent = world.request(&client, &[("prompt", "none")]);
    let back = browser.get(&silent).await.location().unwrap();
    super::code_of(&back);
    browser
        .post(
            "/logout/confirm",
            &[("csrf", "made up"), ("logout", "confirmed")],
        )
        .await
        .shows(403, "Something went wrong");
    super::code_of(&browser.get(&silent).await.location().unwrap());
    browser
        .submit(&page, "logout-form", &[])
        .await
        .goes_to("/signed-out");
    let back = browser.get(&silent).await.location().unwrap();
    assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_refused(&world.refresh(&client, refresh).await, 400, "invalid_grant");
}

/// LOUT-09: a hint of the one before ends her session and not the next person's.
#[tokio::test]
async fn a_hint_of_the_person_before_does_not_sign_out_the_next() {
    let world = World::new().await;
    let client = world.web().await;
    let (_, hers) = world.tokens(&client).await;
    let next = world.lab.person("Dan Reed").await;
    world.lab.join(&next, world.clinic.id, &["patient"]).await;
    let his = World {
        person: next,
        ..world
    };
    let (browser, _) = his.tokens(&client).await;
    let hint = hers["id_token"].as_str().unwrap();
    browser
        .get(&logout(&his, &[("id_token_hint", hint)]))
        .await
        .goes_to("/signed-out");
    let silent = his.request(&client, &[("prompt", "none")]);
    super::code_of(&browser.get(&silent).await.location().unwrap());
}
