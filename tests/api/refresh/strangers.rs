//! Tokens shown by who does not own them, and things that are no tokens: nothing changes.

use super::*;

/// RT-04: another client with valid authentication, with every generation; audited.
#[tokio::test]
async fn another_clients_token_is_refused_and_its_family_lives() {
    let world = World::new().await;
    let owner = world.public().await;
    let strangers = [world.public().await, world.confidential().await];
    let first = world.sign_in(&owner).await;
    let second = world.refresh(&owner, &first.refresh).await.tokens();
    let third = world.refresh(&owner, &second.refresh).await.tokens();
    let before = world.row(first.family()).await;
    for stranger in &strangers {
        for token in [&first.refresh, &second.refresh, &third.refresh] {
            world
                .refresh(stranger, token)
                .await
                .refused("invalid_grant");
            let seen = ("refresh.rejected".into(), "other_client".into());
            assert_eq!(world.last_event("reason").await, seen);
        }
    }
    assert_eq!(world.row(first.family()).await, before);
    world.refresh(&owner, &third.refresh).await.tokens();
}

/// RT-05: without its secret, or with a wrong one, a confidential client is nobody.
#[tokio::test]
async fn a_confidential_client_without_its_secret_is_refused_and_spends_nothing() {
    let world = World::new().await;
    let party = world.confidential().await;
    let signed_in = world.sign_in(&party).await;
    let before = world.row(signed_in.family()).await;
    for secret in [None, Some("lcs_wrong".to_owned())] {
        let thief = Party {
            secret,
            ..party.clone()
        };
        let answer = world.refresh(&thief, &signed_in.refresh).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (401, &"invalid_client".into())
        );
    }
    assert_eq!(world.row(signed_in.family()).await, before);
    world.refresh(&party, &signed_in.refresh).await.tokens();
}

/// A token altered in any part is unknown: tenant, family, generation or secret.
#[tokio::test]
async fn an_altered_token_is_unknown_and_changes_nothing() {
    let world = World::new().await;
    let elsewhere = world.lab.clinic("Maple Clinic").await;
    let party = world.public().await;
    let first = world.sign_in(&party).await;
    let second = world.refresh(&party, &first.refresh).await.tokens();
    let before = world.row(first.family()).await;
    let bytes = URL_SAFE_NO_PAD
        .decode(&second.refresh["lrt_".len()..])
        .unwrap();
    let altered = |change: &dyn Fn(&mut [u8])| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        format!("lrt_{}", URL_SAFE_NO_PAD.encode(bytes))
    };
    let other_tenant = elsewhere.id.as_uuid().into_bytes();
    for token in [
        altered(&|bytes| bytes[..16].copy_from_slice(&other_tenant)),
        altered(&|bytes| bytes[0] ^= 1),
        altered(&|bytes| bytes[16] ^= 1),
        altered(&|bytes| bytes[35] = 0), // generation 0 with the secret of 1
        altered(&|bytes| bytes[35] = 2), // a generation that is not yet
        altered(&|bytes| bytes[32] = 0xff),
        altered(&|bytes| bytes[36] ^= 1),
        altered(&|bytes| bytes[67] ^= 1),
    ] {
        world.refresh(&party, &token).await.refused("invalid_grant");
    }
    for token in [
        "",
        "lrt_",
        "nonsense",
        &second.refresh[4..],
        &format!("{} ", second.refresh),
    ] {
        let error = if token.is_empty() {
            "invalid_request"
        } else {
            "invalid_grant"
        };
        let answer = world.refresh(&party, token).await;
        assert_eq!(answer.json()["error"], error, "{token:?}");
    }
    assert_eq!(world.row(first.family()).await, before);
    world.refresh(&party, &second.refresh).await.tokens();
}

/// Design §5: a row planted by an injected INSERT, or altered by an UPDATE, matches no token.
#[tokio::test]
async fn rows_that_were_planted_or_altered_match_no_token() {
    let world = World::new().await;
    let party = world.public().await;
    let mallory = world.lab.person("Mallory Vane").await;
    let signed_in = world.sign_in(&party).await;
    // The digest of her own token, moved to where a token of another generation would be.
    world
        .tell(&format!(
            "update identity.token_family set current_generation = 1, redeemed_at = started_at,
               redeemed_network_digest = sha256(''), redeemed_agent_digest = sha256(''),
               access_ends_at = started_at where family_id = '{0}';
             insert into identity.refresh_token
               select tenant_id, family_id, 1, token_digest, issued_at
               from identity.refresh_token where family_id = '{0}'",
            signed_in.family()
        ))
        .await;
    let mut bytes = URL_SAFE_NO_PAD
        .decode(&signed_in.refresh["lrt_".len()..])
        .unwrap();
    bytes[35] = 1;
    let moved = format!("lrt_{}", URL_SAFE_NO_PAD.encode(bytes));
    world.refresh(&party, &moved).await.refused("invalid_grant");
    assert_eq!(world.end_reason(signed_in.family()).await, None);

    for alteration in [
        format!("account_id = '{}'", mallory.account),
        "absolute_end_at = absolute_end_at + interval '1 microsecond'".to_owned(),
        format!("client_id = '{}'", world.public().await.id),
    ] {
        let signed_in = world.sign_in(&party).await;
        world
            .tell(&format!(
                "update identity.token_family set {alteration} where family_id = '{}'",
                signed_in.family()
            ))
            .await;
        world
            .refresh(&party, &signed_in.refresh)
            .await
            .refused("invalid_grant");
        assert_eq!(world.end_reason(signed_in.family()).await, None);
    }
}

/// RT-16: it is no access token, and not for a query.
#[tokio::test]
async fn a_refresh_token_is_good_for_nothing_else() {
    let world = World::new().await;
    let party = world.public().await;
    let signed_in = world.sign_in(&party).await;
    let browser = world.lab.browser();
    let request = browser
        .request(Method::GET, "/userinfo")
        .bearer_auth(&signed_in.refresh);
    assert_eq!(browser.send("/userinfo", request).await.status, 401);
    let query = format!(
        "/token?grant_type=refresh_token&client_id={}&refresh_token={}",
        party.id, signed_in.refresh
    );
    let answer = browser
        .post(&query, &[("grant_type", "refresh_token")])
        .await;
    assert!(
        matches!(answer.status.as_u16(), 400 | 415),
        "{}",
        answer.body
    );
    let as_code = [
        ("grant_type", "authorization_code"),
        ("code", &*signed_in.refresh),
        ("redirect_uri", REDIRECT),
    ];
    token(&browser, &party, &as_code)
        .await
        .refused("invalid_grant");
    let access = signed_in.body["access_token"].as_str().unwrap();
    world.refresh(&party, access).await.refused("invalid_grant");
    world.refresh(&party, &signed_in.refresh).await.tokens();
}
