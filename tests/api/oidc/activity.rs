//! `/activity`: a person's doing keeps her sessions alive, a token's refreshing does not.

use http::Method;
use lanyard::oidc::client::ClientKind;
use serde_json::{Value, json};
use time::Duration;

use super::{Client, World, claims};
use crate::lab::Answer;

async fn api_client(world: &World) -> Client {
    let platform = world.lab.platform().await;
    world
        .register(platform, |client| {
            client.kind = ClientKind::Resource;
            client.scopes.clear();
        })
        .await
}

fn event(access: &Value, at: i64) -> Value {
    json!({
        "jti": access["jti"], "tid": access["tid"], "sid": access["sid"],
        "iat": access["iat"], "exp": access["exp"], "at": at,
    })
}

async fn report(world: &World, by: &Client, event: Value) -> Answer {
    let machine = world.lab.browser_in(9);
    let request = machine
        .request(Method::POST, "/activity")
        .basic_auth(&by.id, by.secret.as_deref())
        .json(&json!({ "events": [event] }));
    machine.send("/activity", request).await
}

async fn idle_left(world: &World, client: &Client, refresh: &mut String) -> Option<i64> {
    let answer = world.refresh(client, refresh).await;
    if answer.status != 200 {
        return None;
    }
    let tokens = answer.json();
    *refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    tokens["idle_expires_in"].as_i64()
}

/// Design §4: refreshing is not activity, a report is; and twice round.
#[tokio::test]
async fn only_what_a_person_does_moves_the_idle_clock() {
    let world = World::new().await;
    let (client, api) = (world.web().await, api_client(&world).await);
    let (_, tokens) = world.tokens(&client).await;
    let mut refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    let mut access = claims(&tokens["access_token"]);
    for _ in 0..2 {
        world.lab.clock.advance(Duration::minutes(4));
        let left = idle_left(&world, &client, &mut refresh).await;
        assert_eq!(left, Some(1800 - 240), "a refresh is no activity");
        let now = world.lab.now().unix_timestamp();
        assert_eq!(report(&world, &api, event(&access, now)).await.status, 204);
        let answer = world.refresh(&client, &refresh).await.json();
        assert_eq!(answer["idle_expires_in"], 1800);
        refresh = answer["refresh_token"].as_str().unwrap().to_owned();
        access = claims(&answer["access_token"]);
    }
}

/// Design §4: outside the token's life, in the future, forged, or another audience's: dropped.
#[tokio::test]
async fn a_report_that_is_not_the_caller_s_to_make_moves_nothing() {
    let world = World::new().await;
    let (client, api) = (world.web().await, api_client(&world).await);
    let platform = world.lab.platform().await;
    let other = world
        .register(platform, |client| {
            client.kind = ClientKind::Resource;
            client.scopes.clear();
            client.audiences = vec!["https://other.example.test".to_owned()];
        })
        .await;
    let (_, tokens) = world.tokens(&client).await;
    let mut refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    let access = claims(&tokens["access_token"]);
    world.lab.clock.advance(Duration::minutes(4));
    let now = world.lab.now().unix_timestamp();
    let mut longer = event(&access, now);
    longer["exp"] = (access["exp"].as_i64().unwrap() + 600).into();
    let mut forged = event(&access, now);
    forged["jti"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into();
    let iat = access["iat"].as_i64().unwrap();
    for dropped in [
        event(&access, now + 1),
        event(&access, iat - 1),
        event(&access, access["exp"].as_i64().unwrap()),
        longer,
        forged,
    ] {
        assert_eq!(report(&world, &api, dropped).await.status, 204);
    }
    assert_eq!(
        report(&world, &other, event(&access, now)).await.status,
        204
    );
    assert_eq!(
        report(&world, &client, event(&access, now)).await.status,
        401,
        "no API"
    );
    let mut unknown = event(&access, now);
    unknown["extra"] = 1.into();
    assert_eq!(report(&world, &api, unknown).await.status, 400);
    assert_eq!(
        idle_left(&world, &client, &mut refresh).await,
        Some(1800 - 240)
    );
}

/// Design §4: an idle user is logged off although every tab goes on refreshing: one second
/// before, at, after.
#[tokio::test]
async fn an_idle_person_is_logged_off_though_every_tab_refreshes() {
    let world = World::new().await;
    let client = world.web().await;
    let (_, tokens) = world.tokens(&client).await;
    let mut refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    for _ in 0..29 {
        world.lab.clock.advance(Duration::MINUTE);
        assert!(idle_left(&world, &client, &mut refresh).await.is_some());
    }
    world.lab.clock.advance(Duration::seconds(59));
    assert_eq!(idle_left(&world, &client, &mut refresh).await, Some(1));
    world.lab.clock.advance(Duration::SECOND);
    assert_eq!(idle_left(&world, &client, &mut refresh).await, None);
}
