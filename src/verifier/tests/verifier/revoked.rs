//! What was revoked is refused, and nothing else: design §6.

use lanyard_verifier::test_issuer::{Ended, TestIssuer, TestKey, TestToken};
use lanyard_verifier::{SubjectId, Verifier, VerifyError};
use serde_json::json;
use uuid::Uuid;

use crate::followed::{Followed, until};
use crate::lab::{AUDIENCE, BOREALIS, ISSUER, JUNIPER, Lab};

const ADA: SubjectId = SubjectId::from_uuid(Uuid::from_u128(1));
const BEN: SubjectId = SubjectId::from_uuid(Uuid::from_u128(2));

type Change = fn(TestToken) -> TestToken;

/// The token that is revoked, and its neighbors: each differs in one thing.
const TOKENS: [(&str, Change); 7] = [
    ("hers", |token| token),
    ("her other session", |token| token.claim("sid", "other")),
    ("another client in her session", |token| {
        token.claim("client_id", "other")
    }),
    ("another person", |token| {
        token.subject(BEN).claim("sid", "ben")
    }),
    ("another clinic", |token| token.tenant(BOREALIS)),
    ("another role", |token| token.roles(["nurse"])),
    ("a client for itself", |token| {
        token.without_sign_in().subject(BEN)
    }),
];

fn hers(followed: &Followed) -> TestToken {
    followed.token().subject(ADA).roles(["patient"])
}

/// Each kind by what it names, for tokens seen before and for those that were not.
#[tokio::test(start_paused = true)]
async fn each_revocation_refuses_what_it_names_and_no_neighbor() {
    let session = || "test-session".to_owned();
    for (ended, refused) in [
        (Ended::Session(JUNIPER, session()), vec![0, 2, 5]),
        (Ended::Impersonation(JUNIPER, session()), vec![0, 2, 5]),
        (
            Ended::Family(JUNIPER, session(), "test-client".to_owned()),
            vec![0, 5],
        ),
        (Ended::Subject(JUNIPER, ADA), vec![0, 1, 2, 5]),
        (Ended::Tenant(JUNIPER), vec![0, 1, 2, 3, 5, 6]),
        (Ended::Role("patient".to_owned()), vec![0, 1, 2, 3, 4, 6]),
        (Ended::Key("test-1".to_owned()), vec![0, 1, 2, 3, 4, 5, 6]),
    ] {
        let followed = Followed::new();
        let tokens = TOKENS.map(|(_, change)| change(hers(&followed)).mint());
        let unseen = TOKENS.map(|(_, change)| change(hers(&followed)).claim("x", 1).mint());
        for token in &tokens {
            assert_eq!(followed.verdict(token).await, Ok(()));
        }
        followed.revoke(&ended).await;
        for (n, (name, _)) in TOKENS.iter().enumerate() {
            let expected = if refused.contains(&n) {
                Err(VerifyError::Revoked)
            } else {
                Ok(())
            };
            for token in [&tokens[n], &unseen[n]] {
                assert_eq!(followed.verdict(token).await, expected, "{ended:?}: {name}");
            }
        }
    }
}

/// What was minted after it is another matter: her next sign-in, her roles as they are now.
#[tokio::test(start_paused = true)]
async fn what_was_minted_after_a_revocation_is_good() {
    let followed = Followed::new();
    let before = hers(&followed).mint();
    assert_eq!(followed.verdict(&before).await, Ok(()));
    followed.revoke(&Ended::Subject(JUNIPER, ADA)).await;
    followed.pass(1).await;
    let after = hers(&followed).mint();
    assert_eq!(followed.verdict(&after).await, Ok(()));
    assert_eq!(followed.verdict(&before).await, Err(VerifyError::Revoked));
}

/// Bounded by the longest life: nothing is held of what can't be alive, and no token slips through
/// at the seam.
#[tokio::test(start_paused = true)]
async fn a_revocation_is_held_until_no_token_of_it_can_live() {
    let followed = Followed::new();
    let now = 1_790_000_000;
    let longest = hers(&followed).claim("exp", now + 600).mint();
    assert_eq!(followed.verdict(&longest).await, Ok(()));
    followed
        .revoke(&Ended::Session(JUNIPER, "test-session".to_owned()))
        .await;
    for seconds in 1..=606 {
        followed.pass(1).await;
        let expected = if seconds < 605 {
            VerifyError::Revoked
        } else {
            VerifyError::Expired
        };
        assert_eq!(followed.verdict(&longest).await, Err(expected), "{seconds}");
    }
    assert_eq!(followed.status().held, 0);
}

/// The holder of a stolen key writes what instant she likes, and signs events too.
#[tokio::test(start_paused = true)]
async fn a_revoked_key_vouches_for_nothing_any_more() {
    let followed = Followed::new();
    followed.verifier.revocations_known().await;
    let stolen = hers(&followed);
    followed.issuer.rotate(TestKey::es256("test-2"));
    followed.verifier.refresh_keys().await.expect("it answers");
    let forged = followed
        .issuer
        .security_event(AUDIENCE, &Ended::Tenant(JUNIPER));
    let stolen_event = forged.header("kid", "test-1");
    followed.revoke(&Ended::Key("test-1".to_owned())).await;
    followed.pass(3).await;
    let later = stolen
        .claim("iat", 1_790_000_002)
        .claim("exp", 1_790_000_302)
        .mint();
    assert_eq!(followed.verdict(&later).await, Err(VerifyError::Revoked));
    followed.issuer.publish(stolen_event.mint());
    followed.until(|status| status.unusable == 1).await;
    assert_eq!(followed.verdict(&hers(&followed).mint()).await, Ok(()));
}

/// A key that was published a moment ago signs the next event: it must not be lost for that.
#[tokio::test(start_paused = true)]
async fn an_event_by_a_new_key_is_taken() {
    let followed = Followed::new();
    let token = hers(&followed).mint();
    assert_eq!(followed.verdict(&token).await, Ok(()));
    followed.pass(5).await;
    // A stranger's token has just used up what unknown keys may ask for.
    let stranger = hers(&followed).header("kid", "nobody's").mint();
    assert_eq!(
        followed.verdict(&stranger).await,
        Err(VerifyError::UnknownKey)
    );
    followed.pass(5).await;
    followed.issuer.rotate(TestKey::es256("test-2"));
    followed
        .revoke(&Ended::Session(JUNIPER, "test-session".to_owned()))
        .await;
    assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
    assert_eq!(followed.status().unusable, 0);
}

/// While the issuer's keys can't be had nothing is passed over.
#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_judged_yet_is_not_passed_over() {
    let followed = Followed::new();
    let token = hers(&followed).mint();
    assert_eq!(followed.verdict(&token).await, Ok(()));
    followed.pass(5).await;
    followed.issuer.rotate(TestKey::es256("test-2"));
    followed.issuer.set_down(true);
    let session = Ended::Session(JUNIPER, "test-session".to_owned());
    let position = followed.issuer.revoke(AUDIENCE, &session);
    for _ in 0..20 {
        followed.pass_in_silence(1).await;
        tokio::task::yield_now().await;
    }
    assert!(followed.status().position < Some(position));
    followed.issuer.set_down(false);
    for _ in 0..60 {
        followed.pass_in_silence(1).await;
        tokio::task::yield_now().await;
    }
    followed
        .until(|status| status.position >= Some(position))
        .await;
    assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
}

/// The other way round: no event opens anything.
#[tokio::test]
async fn a_security_event_token_is_no_access_token() {
    let lab = Lab::new();
    let event = lab.issuer.security_event(AUDIENCE, &Ended::Tenant(JUNIPER));
    let verdict = lab.verifier.verify(&event.mint()).await.map(drop);
    assert_eq!(verdict, Err(VerifyError::WrongType));
}

/// What tells something and ends nothing; and what a later issuer may end.
#[tokio::test(start_paused = true)]
async fn an_event_that_ends_nothing_changes_nothing() {
    let followed = Followed::new();
    let token = hers(&followed).mint();
    assert_eq!(followed.verdict(&token).await, Ok(()));
    let event = |uri: &str| {
        let good = followed
            .issuer
            .security_event(AUDIENCE, &Ended::Subject(JUNIPER, ADA));
        let body = json!({ "event_timestamp": 1_790_000_000, "issued_until": 1_790_000_000 });
        good.claim("events", json!({ uri: body })).mint()
    };
    for uri in [
        "https://schemas.openid.net/secevent/caep/event-type/credential-change",
        "https://schemas.openid.net/secevent/ssf/event-type/verification",
        "https://id.example/events/tenant-resumed",
        "https://evil.example/events/account-revoked",
    ] {
        let position = followed.issuer.publish(event(uri));
        followed
            .until(|status| status.position >= Some(position))
            .await;
        assert_eq!(followed.verdict(&token).await, Ok(()), "{uri}");
    }
    assert_eq!((followed.status().unusable, followed.status().held), (0, 0));
    followed
        .issuer
        .publish(event("https://id.example/events/device-lost"));
    followed.until(|status| status.held == 1).await;
    assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
}

/// V1, V3: from the instant it was told, on every thread, whatever else comes in meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revocation_holds_while_thousands_come_in() {
    let issuer = TestIssuer::new(ISSUER);
    let verifier = Verifier::builder(ISSUER, AUDIENCE)
        .keys(issuer.keys())
        .revocations(issuer.revocations())
        .build()
        .expect("all is given");
    let good = issuer
        .token(AUDIENCE)
        .tenant(JUNIPER)
        .claim("sid", "good")
        .mint();
    let over = issuer
        .token(AUDIENCE)
        .tenant(JUNIPER)
        .claim("sid", "0")
        .mint();
    for token in [&good, &over] {
        verifier
            .verify(token)
            .await
            .expect("nothing is revoked yet");
    }
    issuer.revoke(AUDIENCE, &Ended::Session(JUNIPER, "0".to_owned()));
    until(&verifier, |status| status.held == 1).await;
    let presenting = (0..3).map(|_| {
        let (verifier, good, over) = (verifier.clone(), good.clone(), over.clone());
        tokio::spawn(async move {
            while verifier.feed_status().expect("it follows").held < 2000 {
                assert!(verifier.verify(&good).await.is_ok());
                let verdict = verifier.verify(&over).await.map(drop);
                assert_eq!(verdict, Err(VerifyError::Revoked));
                tokio::task::yield_now().await;
            }
        })
    });
    let presenting: Vec<_> = presenting.collect();
    for n in 1..2000 {
        issuer.revoke(AUDIENCE, &Ended::Session(JUNIPER, n.to_string()));
        tokio::task::yield_now().await;
    }
    for one in presenting {
        one.await.expect("every verdict was right");
    }
}
