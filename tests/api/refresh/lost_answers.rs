//! Answers that never arrived, and the same successor once more.

use std::time::Duration as Real;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::*;

/// Sends a refresh and hangs up as soon as the database shows its commit.
async fn lose_the_answer(world: &World, by: &Party, held: &Tokens) {
    let before = world.current(held.family()).await;
    let form = format!(
        "grant_type=refresh_token&client_id={}&refresh_token={}",
        by.id, held.refresh
    );
    let request = format!(
        "POST /token HTTP/1.1\r\nhost: localhost:{}\r\ncontent-length: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n{form}",
        world.lab.address.port(),
        form.len()
    );
    let mut connection = TcpStream::connect(world.lab.address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    while world.current(held.family()).await == before {
        tokio::time::sleep(Real::from_millis(2)).await;
    }
}

/// RT-06: nobody read the first answer; the retry gives the one successor there is. Twice round.
#[tokio::test]
async fn an_answer_lost_with_its_connection_is_given_again() {
    let world = World::new().await;
    let party = world.public().await;
    let mut held = world.sign_in(&party).await.tokens;
    for round in 1..=2 {
        lose_the_answer(&world, &party, &held).await;
        world.advance(Duration::seconds(59));
        let retry = world.refresh(&party, &held.refresh).await.tokens();
        let again = world.refresh(&party, &held.refresh).await.tokens();
        assert_eq!(retry.refresh, again.refresh);
        assert_eq!(
            world.issued(held.family()).await,
            round + 1,
            "a sibling was made"
        );
        let retried = ("refresh.retried".to_owned(), held.family().to_string());
        assert_eq!(world.last_event("family").await, retried);
        held = retry;
    }
    world.refresh(&party, &held.refresh).await.tokens();
}

/// Design §5 rule 5: a client with a secret may retry long after, past midnight and so with a
/// seal key that seals no more; the access token ends with the first one, and no clock moves.
#[tokio::test]
async fn a_confidential_client_retries_past_midnight_with_yesterdays_seal_key() {
    let world = World::new().await;
    let party = world.confidential().await;
    world.advance(Duration::hours(9) + Duration::minutes(55)); // 23:55
    let mut held = world.sign_in(&party).await.tokens;
    for _ in 0..2 {
        let first = world.refresh(&party, &held.refresh).await.tokens();
        let key = seal_key(&world, &held).await;
        world.advance(Duration::minutes(10));
        let before = world.row(held.family()).await;
        let retry = world.refresh(&party, &held.refresh).await.tokens();
        assert_eq!(retry.refresh, first.refresh);
        assert_eq!(retry.access_ends(), first.access_ends());
        assert_eq!(retry.number("expires_in"), 0, "it is over: refresh at once");
        assert_eq!(world.row(held.family()).await, before, "a retry wrote");
        held = world.refresh(&party, &retry.refresh).await.tokens();
        assert_eq!(held.number("expires_in"), 300);
        let today = seal_key(&world, &held).await;
        world.advance(Duration::hours(23) + Duration::minutes(50));
        assert!(today == key + 1, "the key was not rotated at midnight");
        held = world.sign_in(&party).await.tokens;
    }
}

async fn seal_key(world: &World, held: &Tokens) -> i64 {
    let query = "select seal_key_id::bigint from identity.token_family where family_id";
    world.count(format!("{query} = '{}'", held.family())).await
}

/// A copy that does not open is a refusal, not a replay: the holder of the successor goes on.
#[tokio::test]
async fn a_sealed_copy_that_was_tampered_with_opens_for_nobody_and_ends_nothing() {
    let world = World::new().await;
    let party = world.confidential().await;
    for tampering in [
        "sealed_successor = set_byte(sealed_successor, 20, get_byte(sealed_successor, 20) # 1)",
        "seal_key_id = seal_key_id + 1",
        "sealed_successor = null, seal_key_id = null, sealed_until = null",
    ] {
        let first = world.sign_in(&party).await;
        let second = world.refresh(&party, &first.refresh).await.tokens();
        world
            .tell(&format!(
                "update identity.token_family set {tampering} where family_id = '{}'",
                first.family()
            ))
            .await;
        world
            .refresh(&party, &first.refresh)
            .await
            .refused("invalid_grant");
        let seen = ("refresh.rejected".into(), "successor_unreadable".into());
        assert_eq!(world.last_event("reason").await, seen);
        world.refresh(&party, &second.refresh).await.tokens();
    }
}

/// Design §5 rule 4: a copy moved to another family, even of the same person, opens for nobody.
#[tokio::test]
async fn a_sealed_copy_opens_in_its_own_family_alone() {
    let world = World::new().await;
    let party = world.confidential().await;
    let (one, two) = (world.sign_in(&party).await, world.sign_in(&party).await);
    let second = world.refresh(&party, &one.refresh).await.tokens();
    world.refresh(&party, &two.refresh).await.tokens();
    world
        .tell(&format!(
            "update identity.token_family set sealed_successor = o.sealed_successor
             from identity.token_family o
             where token_family.family_id = '{}' and o.family_id = '{}'",
            two.family(),
            one.family()
        ))
        .await;
    world
        .refresh(&party, &two.refresh)
        .await
        .refused("invalid_grant");
    assert_eq!(
        world.refresh(&party, &one.refresh).await.tokens().refresh,
        second.refresh
    );
}

/// Design §5 rule 4: a copy is gone as soon as it may not be given: at the next rotation but one's
/// own, at the end of the family, and when its time is over although nobody came.
#[tokio::test]
async fn sealed_copies_are_erased_when_they_may_no_longer_be_given() {
    let world = World::new().await;
    let public = world.public().await;
    let confidential = world.confidential().await;
    let mut kept = Vec::new();
    for party in [&public, &confidential] {
        let first = world.sign_in(party).await;
        world.refresh(party, &first.refresh).await.tokens();
        kept.push(first);
    }
    let sealed = async |signed_in: &SignedIn| {
        let query = "select count(sealed_successor) from identity.token_family where family_id";
        world
            .count(format!("{query} = '{}'", signed_in.family()))
            .await
    };
    for (wait, public_is_kept) in [(59, 1), (1, 0)] {
        world.advance(Duration::seconds(wait));
        lanyard::oidc::family::sweep::erase_successors(&world.lab.app)
            .await
            .unwrap();
        assert_eq!(sealed(&kept[0]).await, public_is_kept);
        assert_eq!(sealed(&kept[1]).await, 1);
    }
    let retry = world
        .refresh(&confidential, &kept[1].refresh)
        .await
        .tokens();
    let third = world.refresh(&confidential, &retry.refresh).await.tokens();
    world
        .refresh(&confidential, &kept[1].refresh)
        .await
        .refused("invalid_grant");
    assert_eq!(sealed(&kept[1]).await, 0, "{}", third.refresh.len());
}

/// RT-18: what the database holds is no token, in no spelling.
#[tokio::test]
async fn no_token_can_be_read_from_the_database() {
    let world = World::new().await;
    let party = world.confidential().await;
    let first = world.sign_in(&party).await;
    let second = world.refresh(&party, &first.refresh).await.tokens();
    let mut dump = String::new();
    let mut boss = world.lab.database.superuser().await;
    for table in [
        "identity.token_family",
        "identity.refresh_token",
        "identity.authorization_code",
        "identity.client_secret",
        "audit.event",
        "outbox.message",
    ] {
        let query = format!("select coalesce(string_agg(t::text, ' '), '') from {table} t");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&mut boss)
            .await
            .unwrap();
        dump += &rows.to_ascii_lowercase();
    }
    assert!(
        dump.contains(&first.family().to_string()),
        "the dump shows the rows"
    );
    let secret = party.secret.clone().unwrap();
    for token in [&first.refresh, &second.refresh, &secret] {
        assert!(!dump.contains(&token.to_ascii_lowercase()));
        let encoded = token.split_once('_').unwrap().1;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).unwrap();
        let secret = &bytes[bytes.len() - 32..];
        let hex = secret
            .iter()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert!(!dump.contains(&hex));
        for offset in 0..3 {
            // Whatever it is packed with, base64 of the secret has one of three phases.
            let encoded = URL_SAFE_NO_PAD.encode(&secret[offset..offset + 27]);
            assert!(!dump.contains(&encoded.to_ascii_lowercase()));
        }
    }
}
