//! What is purged takes nothing from reuse detection (design §5 rule 6).

use lanyard::retention::service::purge;

use super::*;

/// RT-01: a family lives; purges come and go; the first of its many tokens comes back on the last
/// second of its life and ends it. A day and a week later it is unknown, and still refused.
#[tokio::test]
async fn an_old_token_is_known_for_as_long_as_its_family_may_live() {
    let world = World::of(Lab::apart(|_| ()).await).await;
    let party = world.confidential().await;
    let first = world.sign_in(&party).await;
    let mut held = first.tokens.clone();
    for _ in 0..3 {
        held = world.refresh(&party, &held.refresh).await.tokens();
    }
    // The person does something now and then, or idleness would end it.
    for _ in 0..95 {
        world.advance(Duration::minutes(15));
        world
            .tell(&format!(
                "update identity.session set active_at = '{}'",
                world.lab.now()
            ))
            .await;
        purge(&world.lab.app).await.unwrap();
    }
    world.advance(Duration::minutes(15) - Duration::SECOND);
    world
        .refresh(&party, &first.refresh)
        .await
        .refused("invalid_grant");
    let seen = (
        "refresh.reuse_detected".into(),
        "older_generation_replayed".into(),
    );
    assert_eq!(world.last_event("cause").await, seen);

    world.advance(Duration::days(7));
    purge(&world.lab.app).await.unwrap();
    let family = first.family();
    assert_eq!(world.issued(family).await, 4, "not yet");
    world.advance(Duration::seconds(2));
    purge(&world.lab.app).await.unwrap();
    assert_eq!(world.issued(family).await, 0);
    world
        .refresh(&party, &first.refresh)
        .await
        .refused("invalid_grant");
}
