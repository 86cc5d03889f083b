//! `/userinfo`.

use http::Method;
use lanyard::oidc::client::{ClientKind, NewClient};
use time::Duration;

use super::World;

/// OIDC Core §5.3, INTR-08.
#[tokio::test]
async fn a_person_s_token_opens_what_its_scopes_say_and_other_tokens_nothing() {
    let world = World::new().await;
    let client = world.web().await;
    let (browser, tokens) = world.tokens(&client).await;
    let access = tokens["access_token"].as_str().unwrap();
    let said = world.call("/userinfo", access).await.json();
    assert_eq!(said["sub"], world.subject.to_string());
    assert_eq!(said["name"], world.person.name);
    assert_eq!(said["email"], world.person.login);
    let posted = browser
        .request(Method::POST, "/userinfo")
        .form(&[("access_token", access)]);
    assert_eq!(browser.send("/userinfo", posted).await.json(), said);
    let both = browser
        .request(Method::POST, "/userinfo")
        .bearer_auth(access)
        .form(&[("access_token", access)]);
    assert_eq!(browser.send("/userinfo", both).await.status, 400);
    for token in [
        tokens["id_token"].as_str().unwrap(),
        tokens["refresh_token"].as_str().unwrap(),
        "garbage",
    ] {
        let refused = world.call("/userinfo", token).await;
        assert_eq!(refused.status, 401, "INTR-08, RT-16");
        assert!(refused.header("www-authenticate").contains("invalid_token"));
    }
    let without = world.lab.browser().get("/userinfo").await;
    assert_eq!(without.status, 401);
    assert!(
        !without.header("www-authenticate").contains("error"),
        "RFC 6750 §3.1"
    );
    world.lab.clock.advance(Duration::minutes(5));
    assert_eq!(world.call("/userinfo", access).await.status, 401, "over");
}

/// INTR-08: a service is nobody, though its token says `openid`; and a session that its clocks
/// ended is over for a token that is not.
#[tokio::test]
async fn a_services_token_and_an_idle_persons_open_nothing() {
    let world = World::new().await;
    let kind = |client: &mut NewClient| {
        client.kind = ClientKind::Service;
        client.scopes = vec!["openid".to_owned()];
    };
    let service = world.register(world.clinic.id, kind).await;
    let form = [("grant_type", "client_credentials"), ("scope", "openid")];
    let tokens = world.ask_token(&service, &form).await.json();
    let refused = world
        .call("/userinfo", tokens["access_token"].as_str().unwrap())
        .await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").contains("invalid_token"));
    let client = world.web().await;
    let (_, tokens) = world.tokens(&client).await;
    let mut refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    for _ in 0..7 {
        world.lab.clock.advance(Duration::minutes(4));
        let answer = world.refresh(&client, &refresh).await.json();
        refresh = answer["refresh_token"].as_str().unwrap().to_owned();
    }
    let last = world.refresh(&client, &refresh).await.json();
    let access = last["access_token"].as_str().unwrap();
    world.lab.clock.advance(Duration::seconds(119));
    assert_eq!(world.call("/userinfo", access).await.status, 200);
    world.lab.clock.advance(Duration::SECOND);
    assert_eq!(world.call("/userinfo", access).await.status, 401);
}

/// Without `openid` a token is no good here (OIDC Core §5.3.1).
#[tokio::test]
async fn a_token_without_openid_is_refused() {
    let world = World::new().await;
    let client = world.web().await;
    let browser = world.lab.browser();
    let request = world.request(&client, &[("scope", "visits:read")]);
    let back = world.sign_in(&browser, &request).await;
    let tokens = world.redeem(&client, &super::code_of(&back)).await.json();
    assert!(tokens["id_token"].is_null());
    let refused = world
        .call("/userinfo", tokens["access_token"].as_str().unwrap())
        .await;
    assert_eq!(refused.status, 403);
    assert!(
        refused
            .header("www-authenticate")
            .contains("insufficient_scope")
    );
}
