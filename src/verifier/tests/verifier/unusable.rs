//! What came as a revocation and can't be used changes nothing, and is not passed over: it may
//! stand for one all the same.

use lanyard_verifier::VerifyError;
use lanyard_verifier::test_issuer::{Ended, TestKey};
use serde_json::json;

use crate::followed::{Followed, another};
use crate::lab::{AUDIENCE, JUNIPER};

/// The session of the tokens that a test issuer mints.
fn session() -> Ended {
    Ended::Session(JUNIPER, "test-session".to_owned())
}

impl Followed {
    /// Lets time pass in which the follower tries again, until it stands there.
    async fn until_told(&self, position: u64) {
        for _ in 0..60 {
            self.pass_in_silence(1).await;
            tokio::task::yield_now().await;
        }
        self.until(|status| status.position >= Some(position)).await;
    }
}

/// An API's clock may be wrong by any time: a token that it takes still can be ended.
#[tokio::test(start_paused = true)]
async fn an_event_of_later_than_now_is_taken() {
    for seconds in [6, 3600, 86_400] {
        let followed = Followed::new();
        let token = followed.token().mint();
        assert_eq!(followed.verdict(&token).await, Ok(()));
        let issuer = followed.issuer.clone();
        let issuer = issuer.clock(followed.clock.ahead(seconds));
        let position = issuer.revoke(AUDIENCE, &session());
        followed
            .until(|status| status.position >= Some(position) || status.unusable > 0)
            .await;
        assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
        assert_eq!(followed.status().unusable, 0, "{seconds}");
    }
}

/// By a clock that is behind it is not known how long the last word was on its way: as by one that
/// is ahead, nobody is let in once that may be longer than the bound.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_by_more_than_the_bound_is_not_up_to_date() {
    for (seconds, is_current) in [(-36, false), (-35, true), (35, true), (36, false)] {
        let followed = Followed::new();
        let issuer = followed.issuer.clone();
        let issuer = issuer.clock(followed.clock.ahead(seconds));
        let verifier = another(&issuer, followed.clock, |builder| builder);
        verifier.revocations_known().await;
        let status = verifier.feed_status().expect("it follows");
        assert_eq!(status.is_current, is_current, "{seconds}: {status:?}");
        let verdict = verifier.verify(&followed.token().mint()).await.map(drop);
        let expected = if is_current {
            Ok(())
        } else {
            Err(VerifyError::RevocationsStale)
        };
        assert_eq!(verdict, expected, "{seconds}");
    }
}

/// A key set that came a moment ago, and from a process that did not know the newest key yet: the
/// event which that key signed is asked for again, and the key set too.
#[tokio::test(start_paused = true)]
async fn an_event_by_a_key_that_a_fresh_key_set_lacks_is_not_passed_over() {
    let followed = Followed::new();
    let token = followed.token().mint();
    assert_eq!(followed.verdict(&token).await, Ok(()));
    let stranger = followed.token().header("kid", "nobody's").mint();
    let unknown = Err(VerifyError::UnknownKey);
    assert_eq!(followed.verdict(&stranger).await, unknown);
    followed.issuer.rotate(TestKey::es256("test-2"));
    let position = followed
        .issuer
        .revoke(AUDIENCE, &Ended::Key("test-1".to_owned()));
    followed
        .until(|status| status.unusable > 0 || status.position >= Some(position))
        .await;
    assert_eq!(followed.status().unusable, 1);
    assert!(followed.status().position < Some(position));
    followed.until_told(position).await;
    assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
}

/// A process that has not heard yet that its key was withdrawn signs by it: believed it is not, and
/// what it said is asked for again.
#[tokio::test(start_paused = true)]
async fn an_event_by_a_key_that_was_just_withdrawn_is_not_passed_over() {
    let followed = Followed::new();
    followed.verifier.revocations_known().await;
    let late = followed.issuer.security_event(AUDIENCE, &session()).mint();
    followed.issuer.rotate(TestKey::es256("test-2"));
    followed.issuer.withdraw("test-1");
    followed.revoke(&Ended::Key("test-1".to_owned())).await;
    let token = followed.token().mint();
    assert_eq!(followed.verdict(&token).await, Ok(()));
    let position = followed.issuer.publish(late);
    followed
        .until(|status| status.unusable > 0 || status.position >= Some(position))
        .await;
    assert!(followed.status().position < Some(position));
    let signed_anew = followed.issuer.security_event(AUDIENCE, &session());
    followed.issuer.republish(position, signed_anew.mint());
    followed.until_told(position).await;
    assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
    assert_eq!(followed.status().snapshots, 1, "from where it was");
}

/// In the first snapshot as in the stream: whoever begins with what can't be used knows nothing.
#[tokio::test(start_paused = true)]
async fn a_snapshot_with_an_event_that_cannot_be_used_is_none() {
    let followed = Followed::new();
    let ended = session();
    let stranger = followed.issuer.security_event(AUDIENCE, &ended);
    let position = followed
        .issuer
        .publish(stranger.signed_by(TestKey::es256("test-1")).mint());
    let token = followed.token().mint();
    let stale = Err(VerifyError::RevocationsStale);
    assert_eq!(followed.verdict(&token).await, stale);
    let status = followed.status();
    assert_eq!((status.position, status.lag), (None, None), "{status:?}");
    let good = followed.issuer.security_event(AUDIENCE, &ended).mint();
    followed.issuer.republish(position, good);
    followed.until_told(position).await;
    assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
}

type Forged = Vec<(&'static str, String)>;

/// Of another kind, or by nobody.
fn forged_by_header(followed: &Followed) -> Forged {
    let ended = Ended::Tenant(JUNIPER);
    let good = || followed.issuer.security_event(AUDIENCE, &ended);
    vec![
        ("an access token", followed.token().mint()),
        (
            "typ of an access token",
            good().header("typ", "at+jwt").mint(),
        ),
        ("no typ", good().without_header("typ").mint()),
        (
            "typ in capitals",
            good().header("typ", "SECEVENT+JWT").mint(),
        ),
        ("alg none", good().header("alg", "none").mint()),
        ("another alg", good().header("alg", "EdDSA").mint()),
        ("crit", good().header("crit", json!(["x"])).mint()),
        ("its own key", good().header("jwk", json!({})).mint()),
        (
            "a stranger's key",
            good().signed_by(TestKey::es256("test-1")).mint(),
        ),
        ("an unknown key", good().header("kid", "x").mint()),
        ("not a token", "x".to_owned()),
        ("nothing", String::new()),
        ("too long", "x".repeat(9000)),
    ]
}

/// Rightly signed, and not the issuer's to this API, or not what an event is.
fn forged_by_claims(followed: &Followed) -> Forged {
    let ended = Ended::Tenant(JUNIPER);
    let good = || followed.issuer.security_event(AUDIENCE, &ended);
    let uri = "https://id.example/events/tenant-revoked";
    vec![
        (
            "another issuer",
            good().claim("iss", "https://evil.example").mint(),
        ),
        (
            "another API",
            good().claim("aud", "https://billing.example").mint(),
        ),
        (
            "other APIs",
            good()
                .claim("aud", json!(["https://billing.example"]))
                .mint(),
        ),
        ("no audience", good().without("aud").mint()),
        ("no iat", good().without("iat").mint()),
        ("with an end", good().claim("exp", 1_790_000_300).mint()),
        ("no jti", good().without("jti").mint()),
        ("an empty jti", good().claim("jti", "").mint()),
        ("no events", good().claim("events", json!({})).mint()),
        (
            "two events",
            good().claim("events", json!({ uri: {}, "x": {} })).mint(),
        ),
        ("no subject", good().without("sub_id").mint()),
        (
            "a subject of another kind",
            good().claim("sub_id", json!({ "format": "email" })).mint(),
        ),
        (
            "no instant",
            good().claim("events", json!({ uri: {} })).mint(),
        ),
        (
            "an instant in words",
            good()
                .claim("events", json!({ uri: { "issued_until": "now" } }))
                .mint(),
        ),
    ]
}

/// RFC 8417 §3, and each kind of token is nothing as the other: nothing comes of it but that the
/// verifier is not up to date any more, until something good stands in its place.
#[tokio::test(start_paused = true)]
async fn what_is_no_event_of_the_issuers_changes_nothing_and_is_not_passed_over() {
    let count = forged(&Followed::new()).len();
    for n in 0..count {
        let followed = Followed::new();
        let token = followed.token().mint();
        assert_eq!(followed.verdict(&token).await, Ok(()));
        let (name, forged) = forged(&followed).swap_remove(n);
        let position = followed.issuer.publish(forged);
        followed
            .until(|status| status.unusable > 0 || status.position >= Some(position))
            .await;
        assert_eq!(followed.verdict(&token).await, Ok(()), "{name}");
        followed.issuer.heartbeat();
        // The bound and the leeway.
        followed.pass_in_silence(36).await;
        let stale = Err(VerifyError::RevocationsStale);
        assert_eq!(followed.verdict(&token).await, stale, "{name}");
        let status = followed.status();
        assert!(status.position < Some(position), "{name}: {status:?}");
        assert_eq!((status.accepted, status.held), (0, 0), "{name}");
        let good = followed.issuer.security_event(AUDIENCE, &session());
        followed.issuer.republish(position, good.mint());
        followed.until_told(position).await;
        let revoked = Err(VerifyError::Revoked);
        assert_eq!(followed.verdict(&token).await, revoked, "{name}");
    }
}

fn forged(followed: &Followed) -> Forged {
    let mut forged = forged_by_header(followed);
    forged.extend(forged_by_claims(followed));
    forged
}

/// RFC 7519 §4.1.3.
#[tokio::test(start_paused = true)]
async fn an_event_for_several_apis_is_taken_by_each() {
    let followed = Followed::new();
    let token = followed.token().mint();
    assert_eq!(followed.verdict(&token).await, Ok(()));
    let good = followed.issuer.security_event(AUDIENCE, &session());
    let several = good.claim("aud", json!(["https://billing.example", AUDIENCE]));
    followed.issuer.publish(several.mint());
    followed.until(|status| status.held == 1).await;
    assert_eq!(followed.verdict(&token).await, Err(VerifyError::Revoked));
}
