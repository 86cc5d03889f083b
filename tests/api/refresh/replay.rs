//! Spent tokens that come back.

use super::*;

/// RT-01 (RFC 9700 §4.14.2): an older generation ends the whole family, and only it.
#[tokio::test]
async fn replaying_a_spent_refresh_token_ends_its_family() {
    let world = World::new().await;
    for party in [world.public().await, world.confidential().await] {
        let before = told(&world).await;
        let bystander = world.sign_in(&party).await;
        let first = world.sign_in(&party).await;
        let second = world.refresh(&party, &first.refresh).await.tokens();
        let third = world.refresh(&party, &second.refresh).await.tokens();

        world
            .refresh(&party, &first.refresh)
            .await
            .refused("invalid_grant");
        let seen = (
            "refresh.reuse_detected".into(),
            "older_generation_replayed".into(),
        );
        assert_eq!(world.last_event("cause").await, seen);
        assert_eq!(told(&world).await, 1 + before, "she is told, once");
        let reason = world.end_reason(first.family()).await;
        assert_eq!(reason.as_deref(), Some("older_generation_replayed"));

        for dead in [&third, &second, &first.tokens] {
            world
                .refresh(&party, &dead.refresh)
                .await
                .refused("invalid_grant");
            let seen = ("refresh.rejected".into(), "family_ended".into());
            assert_eq!(world.last_event("reason").await, seen);
        }
        world.refresh(&party, &bystander.refresh).await.tokens();
    }
}

/// How often the person was written to about a token used twice.
async fn told(world: &World) -> i64 {
    let query = "select count(*) from outbox.message where kind = 'reused_token' and account_id";
    world
        .count(format!("{query} = '{}'", world.person.account))
        .await
}

/// RT-07: one second after the lost answer, but its successor was used.
#[tokio::test]
async fn a_retry_after_the_successor_was_used_ends_the_family() {
    let world = World::new().await;
    for party in [world.public().await, world.confidential().await] {
        let first = world.sign_in(&party).await;
        let second = world.refresh(&party, &first.refresh).await.tokens();
        let again = world.refresh(&party, &first.refresh).await.tokens();
        assert_eq!(again.refresh, second.refresh);
        let third = world.refresh(&party, &second.refresh).await.tokens();
        world.advance(Duration::SECOND);
        world
            .refresh(&party, &first.refresh)
            .await
            .refused("invalid_grant");
        world
            .refresh(&party, &third.refresh)
            .await
            .refused("invalid_grant");
    }
}

/// RT-03: what decides is in the database: a node that has just started sees the replay.
#[tokio::test]
async fn a_replay_is_seen_by_a_node_that_has_just_started() {
    let world = World::new().await;
    let party = world.public().await;
    let first = world.sign_in(&party).await;
    let second = world.refresh(&party, &first.refresh).await.tokens();
    let third = world.refresh(&party, &second.refresh).await.tokens();
    let fresh = world.lab.second_node().await;
    let browser = world.lab.browser().through(fresh.address);
    refresh(&browser, &party, &first.refresh)
        .await
        .refused("invalid_grant");
    world
        .refresh(&party, &third.refresh)
        .await
        .refused("invalid_grant");
}

/// Design §5 rules 5 and 6: a public client's retry window, one second before its end, at it and
/// after it; twice round.
#[tokio::test]
async fn the_window_of_a_public_client_ends_at_sixty_seconds() {
    let world = World::new().await;
    let party = world.public().await;
    for (wait, is_open) in [(59, true), (60, false), (61, false)] {
        let signed_in = world.sign_in(&party).await;
        let mut held = signed_in.tokens;
        for _ in 0..2 {
            let next = world.refresh(&party, &held.refresh).await.tokens();
            world.advance(Duration::seconds(wait));
            let retry = world.refresh(&party, &held.refresh).await;
            if !is_open {
                retry.refused("invalid_grant");
                let seen = (
                    "refresh.reuse_detected".into(),
                    "replayed_after_window".into(),
                );
                assert_eq!(world.last_event("cause").await, seen);
                world
                    .refresh(&party, &next.refresh)
                    .await
                    .refused("invalid_grant");
                break;
            }
            assert_eq!(retry.tokens().refresh, next.refresh);
            held = next;
        }
    }
}

/// TOK-02, RFC 6749 §4.1.2: a code's second use ends the family that its first began.
#[tokio::test]
async fn a_code_used_twice_ends_what_it_gave() {
    let world = World::new().await;
    let party = world.public().await;
    let session = world.session().await;
    let code = world.code(&party, session).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
    ];
    let tokens = token(&world.lab.browser(), &party, &fields).await.tokens();
    let next = world.refresh(&party, &tokens.refresh).await.tokens();
    token(&world.lab.browser(), &party, &fields)
        .await
        .refused("invalid_grant");
    world
        .refresh(&party, &next.refresh)
        .await
        .refused("invalid_grant");
    assert_eq!(
        world.end_reason(tokens.family()).await.as_deref(),
        Some("code_replayed")
    );
}

/// An end is final in the database too: no statement of the serving role takes it back.
#[tokio::test]
async fn not_even_a_statement_can_bring_an_ended_family_back() {
    let world = World::new().await;
    let party = world.public().await;
    let first = world.sign_in(&party).await;
    let second = world.refresh(&party, &first.refresh).await.tokens();
    world.refresh(&party, &second.refresh).await.tokens();
    world
        .refresh(&party, &first.refresh)
        .await
        .refused("invalid_grant");
    for undoing in [
        "ended_at = null, end_reason = null",
        "end_reason = 'revoked'",
        "current_generation = 0",
        "current_generation = current_generation + 1",
    ] {
        let statement = format!(
            "update identity.token_family set {undoing} where family_id = '{}'",
            first.family()
        );
        let mut boss = world.lab.database.superuser().await;
        let done = sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut boss)
            .await;
        assert!(done.is_err(), "{undoing}");
    }
}
