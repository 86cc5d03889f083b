//! What an honest client gets.

use super::*;

/// RFC 6749 §6: a successor and a new access token, of the same person and sign-in; twice round.
/// Design §4: refreshing moves neither of the session's clocks.
#[tokio::test]
async fn a_refresh_gives_a_successor_and_an_access_token_of_the_same_sign_in() {
    let world = World::new().await;
    for party in [world.public().await, world.confidential().await] {
        let first = world.sign_in(&party).await;
        let mut before = first.tokens.clone();
        for round in 1..=2 {
            world.advance(Duration::minutes(4));
            let after = world.refresh(&party, &before.refresh).await.tokens();
            assert_eq!(after.generation(), round);
            assert_eq!(after.family(), first.family());
            assert_ne!(after.body["access_token"], before.body["access_token"]);
            assert_eq!(after.access_ends(), seconds(world.lab.now()) + 300);
            for claim in [
                "iss",
                "sub",
                "aud",
                "client_id",
                "scope",
                "sid",
                "auth_time",
                "tid",
            ] {
                assert_eq!(after.claims[claim], before.claims[claim], "{claim}");
            }
            assert_ne!(after.claims["jti"], before.claims["jti"]);
            for clock in ["idle_expires_in", "session_expires_in"] {
                assert_eq!(after.number(clock), before.number(clock) - 240, "{clock}");
            }
            let rotated = ("refresh.rotated".to_owned(), first.family().to_string());
            assert_eq!(world.last_event("family").await, rotated);
            before = after;
        }
    }
}

/// RT-02: 64 at once over two nodes: one successor, for everyone; twice round.
#[tokio::test]
async fn sixty_four_parallel_refreshes_of_one_token_give_one_successor() {
    let world = World::with(|config| config.database.connections = 34).await;
    let other = world.lab.second_node().await;
    let party = world.public().await;
    let mut held = world.sign_in(&party).await.tokens;
    for round in 1..=2 {
        let answers: Vec<_> = (0..64)
            .map(|n| {
                let browser = world.lab.browser();
                let browser = if n % 2 == 0 {
                    browser
                } else {
                    browser.through(other.address)
                };
                let (party, token) = (party.clone(), held.refresh.clone());
                tokio::spawn(async move { refresh(&browser, &party, &token).await.tokens() })
            })
            .collect();
        let mut given = Vec::new();
        for answer in answers {
            given.push(answer.await.unwrap());
        }
        assert!(
            given
                .iter()
                .all(|tokens| tokens.refresh == given[0].refresh)
        );
        assert!(
            given
                .iter()
                .all(|tokens| tokens.access_ends() == given[0].access_ends())
        );
        assert_eq!(world.current(held.family()).await, round);
        assert_eq!(world.issued(held.family()).await, round + 1);
        held = given.swap_remove(0);
    }
    let events = world.refresh_events().await;
    let rotated = events
        .iter()
        .filter(|event| event.kind == "refresh.rotated")
        .count();
    let retried = events
        .iter()
        .filter(|event| event.kind == "refresh.retried")
        .count();
    assert_eq!((rotated, retried), (2, 126));
}

/// Design §5 rule 3: the clock stands still, and three generations are still told apart.
#[tokio::test]
async fn two_rotations_in_the_same_instant_are_two_generations() {
    let world = World::new().await;
    let party = world.public().await;
    let first = world.sign_in(&party).await;
    let second = world.refresh(&party, &first.refresh).await.tokens();
    let third = world.refresh(&party, &second.refresh).await.tokens();
    assert_eq!(third.generation(), 2);
    let again = world.refresh(&party, &second.refresh).await.tokens();
    assert_eq!(again.refresh, third.refresh);
    world
        .refresh(&party, &first.refresh)
        .await
        .refused("invalid_grant");
    world
        .refresh(&party, &third.refresh)
        .await
        .refused("invalid_grant");
}

/// Design §5 rule 9 (FAPI 2.0 Security Profile §5.3.2.1): no rotation, again and again.
#[tokio::test]
async fn a_fapi2_client_keeps_its_refresh_token() {
    let world = World::new().await;
    let party = world.fapi2().await;
    let signed_in = world.sign_in(&party).await;
    for _ in 0..3 {
        world.advance(Duration::minutes(5));
        let tokens = world.refresh(&party, &signed_in.refresh).await.tokens();
        assert_eq!(
            tokens.refresh, "",
            "none is given: the one presented goes on"
        );
        assert_eq!(tokens.access_ends(), seconds(world.lab.now()) + 300);
    }
    assert_eq!(world.issued(signed_in.family()).await, 1);
}

/// RT-12, RFC 6749 §6: narrower is given once, the original again, wider never; and asking for
/// too much spends nothing.
#[tokio::test]
async fn a_refresh_may_ask_for_less_scope_and_never_for_more() {
    let world = World::new().await;
    let party = world.public().await;
    let mut held = world.sign_in(&party).await.tokens;
    for _ in 0..2 {
        let before = world.row(held.family()).await;
        for (name, wish, word) in [
            ("scope", "openid visits:read profile:read", "invalid_scope"),
            ("scope", "admin", "invalid_scope"),
            ("resource", "https://other.example", "invalid_target"),
        ] {
            asking(&world, &party, &held, name, wish)
                .await
                .refused(word);
            assert_eq!(
                world.row(held.family()).await,
                before,
                "{wish} spent the token"
            );
        }
        let narrow = asking(&world, &party, &held, "scope", "visits:read")
            .await
            .tokens();
        assert_eq!(narrow.claims["scope"], "visits:read");
        assert!(
            narrow.body["id_token"].is_null(),
            "openid was not asked for"
        );
        held = asking(&world, &party, &narrow, "resource", AUDIENCE)
            .await
            .tokens();
        assert_eq!(held.claims["scope"], "openid visits:read");
        assert_eq!(held.claims["aud"], AUDIENCE);
    }
}

async fn asking(world: &World, by: &Party, held: &Tokens, name: &str, wish: &str) -> Answer {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &held.refresh),
        (name, wish),
    ];
    token(&world.lab.browser(), by, &fields).await
}
