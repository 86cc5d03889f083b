//! The issuer's keys over time: rotation, withdrawal, outages, storms. Time is tokio's, paused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lanyard_verifier::test_issuer::{TestIssuer, TestKey, TestToken};
use lanyard_verifier::{Builder, JwkSet, KeyFetch, KeySource, Verifier, VerifyError};
use tokio::time::sleep;

use crate::clock::TokioClock;
use crate::lab::{AUDIENCE, ISSUER};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

struct World {
    issuer: TestIssuer,
    verifier: Verifier,
}

impl World {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(more: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = TokioClock::new();
        let issuer = TestIssuer::new(ISSUER).clock(clock);
        let builder = Verifier::builder(ISSUER, AUDIENCE)
            .keys(issuer.keys())
            .clock(clock);
        let verifier = more(builder).build().expect("all is given");
        Self { issuer, verifier }
    }

    fn token(&self) -> TestToken {
        self.issuer.token(AUDIENCE)
    }

    async fn verdict(&self, token: &str) -> Result<(), VerifyError> {
        self.verifier.verify(token).await.map(drop)
    }
}

/// JWT-20: no key, no trust. And as soon as the issuer answers, all is well.
#[tokio::test(start_paused = true)]
async fn started_while_the_issuer_is_down_nothing_is_allowed() {
    let world = World::new();
    world.issuer.set_down(true);
    let token = world.token().mint();
    assert_eq!(
        world.verdict(&token).await,
        Err(VerifyError::KeysUnavailable)
    );
    assert!(world.verifier.refresh_keys().await.is_err());
    world.issuer.set_down(false);
    sleep(SECOND).await;
    assert_eq!(world.verdict(&token).await, Ok(()));
}

/// JWT-20: a thousand requests at a cold verifier with the issuer down are one fetch a second.
#[tokio::test(start_paused = true)]
async fn a_cold_verifier_does_not_hammer_an_issuer_that_is_down() {
    let world = World::new();
    world.issuer.set_down(true);
    let token = world.token().mint();
    for _ in 0..1_000 {
        assert_eq!(
            world.verdict(&token).await,
            Err(VerifyError::KeysUnavailable)
        );
    }
    assert_eq!(world.issuer.fetches(), 1);
}

/// JWT-20: warm, tokens verify while the issuer is down, up to the bound; past it, none does; and
/// when the issuer is back, they do again.
#[tokio::test(start_paused = true)]
async fn the_last_keys_serve_for_an_hour_and_no_longer() {
    let world = World::new();
    assert_eq!(world.verdict(&world.token().mint()).await, Ok(()));
    world.issuer.set_down(true);
    sleep(SECOND * 3_599).await;
    let last = world.token().mint();
    assert_eq!(world.verdict(&last).await, Ok(()));
    sleep(SECOND).await;
    assert_eq!(
        world.verdict(&last).await,
        Err(VerifyError::KeysUnavailable),
        "seen before"
    );
    let unseen = world.token().claim("jti", "unseen").mint();
    assert_eq!(
        world.verdict(&unseen).await,
        Err(VerifyError::KeysUnavailable)
    );
    world.issuer.set_down(false);
    sleep(10 * SECOND).await;
    assert_eq!(world.verdict(&unseen).await, Ok(()));
}

/// JWT-20: the bound is the operator's, within limits.
#[tokio::test(start_paused = true)]
async fn the_staleness_bound_can_be_set() {
    let world = World::with(|builder| builder.staleness(10 * MINUTE));
    assert_eq!(world.verdict(&world.token().mint()).await, Ok(()));
    world.issuer.set_down(true);
    sleep(10 * MINUTE).await;
    assert_eq!(
        world.verdict(&world.token().mint()).await,
        Err(VerifyError::KeysUnavailable)
    );
}

/// JWT-21: ten thousand unknown `kid`s at once are one fetch, good tokens pass meanwhile, and the
/// next fetch for one is half a minute later.
#[tokio::test(start_paused = true)]
async fn a_storm_of_unknown_kids_is_one_fetch_in_thirty_seconds() {
    let world = World::new();
    let good = world.token().mint();
    assert_eq!(world.verdict(&good).await, Ok(()));
    let forged: Vec<String> = (0..2_000)
        .map(|n| world.token().header("kid", n.to_string()).mint())
        .collect();
    let storm = async || {
        let mut calls = tokio::task::JoinSet::new();
        for token in &forged {
            let (verifier, token) = (world.verifier.clone(), token.clone());
            calls.spawn(async move { verifier.verify(&token).await.map(drop) });
        }
        while let Some(verdict) = calls.join_next().await {
            assert_eq!(verdict.expect("no panic"), Err(VerifyError::UnknownKey));
        }
        assert_eq!(world.verdict(&good).await, Ok(()));
    };
    for _ in 0..5 {
        storm().await;
    }
    assert_eq!(world.issuer.fetches(), 2, "the first set, and one for all");
    sleep(29 * SECOND).await;
    storm().await;
    assert_eq!(world.issuer.fetches(), 2);
    sleep(SECOND).await;
    storm().await;
    assert_eq!(world.issuer.fetches(), 3);
}

/// JWT-21: the first tokens of a fresh process come all at once.
#[tokio::test(start_paused = true)]
async fn a_hundred_first_tokens_share_one_fetch() {
    let world = World::new();
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..100 {
        let verifier = world.verifier.clone();
        let token = world.token().claim("jti", n.to_string()).mint();
        calls.spawn(async move { verifier.verify(&token).await.map(drop) });
    }
    while let Some(verdict) = calls.join_next().await {
        assert_eq!(verdict.expect("no panic"), Ok(()));
    }
    assert_eq!(world.issuer.fetches(), 1);
}

/// JWT-17: a key that signs at once is looked up at once, and the old one serves on.
#[tokio::test(start_paused = true)]
async fn a_new_key_costs_no_refusal_even_unannounced() {
    let world = World::new();
    let old = world.token().mint();
    assert_eq!(world.verdict(&old).await, Ok(()));
    world.issuer.rotate(TestKey::ed_dsa("test-2"));
    let new = world.token().mint();
    assert_eq!(world.verdict(&new).await, Ok(()));
    assert_eq!(world.verdict(&old).await, Ok(()));
}

/// JWT-17, JWT-21: published one period ahead, it is known before it signs, so that not even a
/// storm of unknown `kid`s, which has used up the fetch, makes it be refused.
#[tokio::test(start_paused = true)]
async fn a_key_published_ahead_is_known_when_it_signs() {
    let world = World::new();
    assert_eq!(world.verdict(&world.token().mint()).await, Ok(()));
    world.issuer.rotate(TestKey::es256("test-2"));
    sleep(5 * MINUTE).await;
    world.issuer.set_down(true);
    let forged = world.token().header("kid", "unknown").mint();
    assert_eq!(
        world.verdict(&forged).await,
        Err(VerifyError::KeysUnavailable)
    );
    assert_eq!(world.verdict(&world.token().mint()).await, Ok(()));
}

/// JWT-17, JWT-22 for keys: within one period of its withdrawal a key is refused, also for tokens
/// seen before, and nobody had to ask.
#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_refused_within_one_period() {
    let world = World::new();
    let seen = world.token().mint();
    let unseen = world.token().claim("jti", "unseen").mint();
    assert_eq!(world.verdict(&seen).await, Ok(()));
    world.issuer.rotate(TestKey::es256("test-2"));
    world.issuer.withdraw("test-1");
    sleep(SECOND * 299).await;
    assert_eq!(world.verdict(&seen).await, Err(VerifyError::UnknownKey));
    assert_eq!(world.verdict(&unseen).await, Err(VerifyError::UnknownKey));
}

/// JWT-17: told of a withdrawal, a verifier can be asked to look at once.
#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_refused_at_once_after_a_refresh() {
    let world = World::new();
    let seen = world.token().mint();
    assert_eq!(world.verdict(&seen).await, Ok(()));
    world.issuer.withdraw("test-1");
    assert_eq!(world.verdict(&seen).await, Ok(()));
    world
        .verifier
        .refresh_keys()
        .await
        .expect("the issuer answers");
    assert_eq!(world.verdict(&seen).await, Err(VerifyError::UnknownKey));
}

/// JWT-17: another key under an old name does not make old tokens good, nor stay good for them.
#[tokio::test(start_paused = true)]
async fn a_name_given_to_another_key_ends_the_old_tokens() {
    let world = World::new();
    let seen = world.token().mint();
    let unseen = world.token().claim("jti", "unseen").mint();
    assert_eq!(world.verdict(&seen).await, Ok(()));
    world.issuer.withdraw("test-1");
    world.issuer.rotate(TestKey::es256("test-1"));
    world
        .verifier
        .refresh_keys()
        .await
        .expect("the issuer answers");
    assert_eq!(world.verdict(&seen).await, Err(VerifyError::UnknownKey));
    assert_eq!(world.verdict(&unseen).await, Err(VerifyError::BadSignature));
    assert_eq!(world.verdict(&world.token().mint()).await, Ok(()));
}

/// RFC 9111 §5.2.2.1: the issuer says how often, within limits.
#[tokio::test(start_paused = true)]
async fn the_issuer_says_how_often_its_keys_are_fetched() {
    for (max_age, seconds) in [(Duration::ZERO, 30), (MINUTE, 60), (24 * HOUR, 900)] {
        let world = World::new();
        world.issuer.set_max_age(max_age);
        assert_eq!(world.verdict(&world.token().mint()).await, Ok(()));
        // A fifth before the answer is too old.
        sleep(SECOND * (seconds * 4 / 5 - 1)).await;
        assert_eq!(world.issuer.fetches(), 1, "{max_age:?}");
        sleep(SECOND * 2).await;
        assert_eq!(world.issuer.fetches(), 2, "{max_age:?}");
    }
}

/// A verifier that is gone asks nobody.
#[tokio::test(start_paused = true)]
async fn a_dropped_verifier_stops_fetching() {
    let World { issuer, verifier } = World::new();
    verifier
        .verify(&issuer.token(AUDIENCE).mint())
        .await
        .expect("good");
    drop(verifier);
    sleep(HOUR).await;
    assert_eq!(issuer.fetches(), 1);
}

/// Fails in one way after the other, then answers.
struct Troubled {
    tries: Arc<AtomicUsize>,
    issuer: TestIssuer,
}

impl KeySource for Troubled {
    fn fetch(&self) -> KeyFetch<'_> {
        let tries = self.tries.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            match tries {
                0 => std::future::pending().await,
                1 => panic!("a source of keys that panics (this is the test)"),
                2 => JwkSet::from_json(b"<html>captive portal</html>"),
                _ => JwkSet::from_json(self.issuer.jwks().as_bytes()),
            }
        })
    }
}

/// JWT-20: a fetch that hangs, panics or brings nonsense is one that failed; the next one counts.
#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_panics_or_lies_is_tried_again() {
    let clock = TokioClock::new();
    let issuer = TestIssuer::new(ISSUER).clock(clock);
    let tries = Arc::new(AtomicUsize::new(0));
    let source = Troubled {
        tries: Arc::clone(&tries),
        issuer: issuer.clone(),
    };
    let verifier = Verifier::builder(ISSUER, AUDIENCE)
        .keys(source)
        .clock(clock)
        .build()
        .expect("all is given");
    let token = issuer.token(AUDIENCE).mint();
    for _ in 0..3 {
        let verdict = verifier.verify(&token).await.map(drop);
        assert_eq!(verdict, Err(VerifyError::KeysUnavailable));
        sleep(SECOND).await;
    }
    verifier
        .verify(&token)
        .await
        .expect("the fourth brings keys");
    assert_eq!(tries.load(Ordering::SeqCst), 4);
}

/// A request that goes away does not take the fetch of the others with it.
#[tokio::test(start_paused = true)]
async fn a_request_that_goes_away_leaves_the_fetch_to_the_others() {
    let world = World::new();
    let token = world.token().mint();
    let gone = tokio::time::timeout(Duration::ZERO, world.verifier.verify(&token)).await;
    assert!(gone.is_err(), "the first one did not wait");
    assert_eq!(world.verdict(&token).await, Ok(()));
    assert_eq!(world.issuer.fetches(), 1);
}
