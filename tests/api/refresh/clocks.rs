//! RT-10: both clocks of the session and the family's own end, one second before, at and after.

use super::*;

/// The strictest of role, clinic and platform: a patient's are 30 minutes and 24 hours.
const IDLE: Duration = Duration::minutes(30);
const ABSOLUTE: Duration = Duration::hours(24);

/// Refreshes at `at` (since sign-in) and says whether it was given, and else why not.
async fn outcome_at(world: &World, by: &Party, at: Duration, is_active: bool) -> Option<String> {
    let signed_in = world.sign_in(by).await;
    let next = world.refresh(by, &signed_in.refresh).await.tokens();
    world.advance(at);
    if is_active {
        let session = signed_in.session;
        let active_at = world.lab.now() - Duration::seconds(2);
        world
            .tell(&format!(
                "update identity.session set active_at = '{active_at}'
                 where session_id = '{session}'"
            ))
            .await;
    }
    let answer = world.refresh(by, &next.refresh).await;
    if answer.status == 200 {
        return None;
    }
    answer.refused("invalid_grant");
    Some(world.last_event("reason").await.1)
}

#[tokio::test]
async fn an_idle_session_gives_no_tokens_from_the_instant_of_its_end() {
    let world = World::new().await;
    let party = world.confidential().await;
    for (at, expected) in [
        (IDLE - Duration::SECOND, None),
        (IDLE, Some("session_idle")),
        (IDLE + Duration::SECOND, Some("session_idle")),
    ] {
        let outcome = outcome_at(&world, &party, at, false).await;
        assert_eq!(outcome.as_deref(), expected, "{at}");
    }
}

#[tokio::test]
async fn an_active_session_gives_no_tokens_from_its_absolute_end() {
    let world = World::new().await;
    let party = world.confidential().await;
    for (at, is_given) in [
        (ABSOLUTE - Duration::SECOND, true),
        (ABSOLUTE, false),
        (ABSOLUTE + Duration::SECOND, false),
    ] {
        let outcome = outcome_at(&world, &party, at, true).await;
        assert_eq!(outcome.is_none(), is_given, "{at}: {outcome:?}");
    }
}

/// A retry is bound by the same clocks, and an access token given near the end stops at it.
#[tokio::test]
async fn a_retry_stops_at_the_idle_end_and_no_access_token_outlives_the_family() {
    let world = World::with(|config| config.lifetimes.refresh_confidential = Duration::HOUR).await;
    let party = world.confidential().await;
    for (at, is_given) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let signed_in = world.sign_in(&party).await;
        world.refresh(&party, &signed_in.refresh).await.tokens();
        world.advance(IDLE + at);
        let retry = world.refresh(&party, &signed_in.refresh).await;
        assert_eq!(retry.status == 200, is_given, "{at}");
    }
    let signed_in = world.sign_in(&party).await;
    world.advance(Duration::minutes(59));
    let session = signed_in.session;
    world
        .tell(&format!(
            "update identity.session set active_at = '{}' where session_id = '{session}'",
            world.lab.now()
        ))
        .await;
    let last = world.refresh(&party, &signed_in.refresh).await.tokens();
    assert_eq!(last.number("expires_in"), 60);
    world.advance(Duration::MINUTE);
    world
        .refresh(&party, &last.refresh)
        .await
        .refused("invalid_grant");
    assert_eq!(world.last_event("reason").await.1, "absolute_end");
}

/// Design §5 rule 8: rotated each minute, a family still ends when it ends.
#[tokio::test]
async fn no_rotation_moves_the_absolute_end() {
    let world = World::with(|config| config.lifetimes.refresh_public = Duration::minutes(6)).await;
    let party = world.public().await;
    for _ in 0..2 {
        let mut held = world.sign_in(&party).await.tokens;
        for _ in 0..5 {
            world.advance(Duration::MINUTE);
            held = world.refresh(&party, &held.refresh).await.tokens();
        }
        world.advance(Duration::MINUTE - Duration::SECOND);
        held = world.refresh(&party, &held.refresh).await.tokens();
        world.advance(Duration::SECOND);
        world
            .refresh(&party, &held.refresh)
            .await
            .refused("invalid_grant");
        assert_eq!(world.last_event("reason").await.1, "absolute_end");
    }
}

/// RT-10: the limits are the clinic's at the time of use: tightened, they count at once.
#[tokio::test]
async fn a_tightened_policy_counts_at_the_next_refresh() {
    let world = World::new().await;
    let party = world.public().await;
    let first = world.sign_in(&party).await;
    world.advance(Duration::minutes(10));
    let second = world.refresh(&party, &first.refresh).await.tokens();
    world
        .tell(&format!(
            "insert into identity.session_policy
               (tenant_id, applies_to, name, idle_seconds, absolute_seconds)
             values ('{}', 'tenant', '', 600, 3600)",
            world.clinic.id
        ))
        .await;
    world
        .refresh(&party, &second.refresh)
        .await
        .refused("invalid_grant");
    assert_eq!(world.last_event("reason").await.1, "session_idle");
}
