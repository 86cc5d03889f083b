//! What a route does while the verifier does not know what was revoked lately.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get as get_route;
use http::StatusCode;
use http::header::RETRY_AFTER;
use lanyard_verifier::test_issuer::Ended;
use lanyard_verifier::{Guard, IntrospectionError, VerifyError, WhenStale};

use crate::followed::{Followed, another};
use crate::lab::{JUNIPER, get};

/// Half a minute and no longer, and again once it hears of the issuer.
#[tokio::test(start_paused = true)]
async fn a_verifier_that_hears_nothing_refuses_at_its_bound() {
    for (bound, seconds) in [(None, 30), (Some(10), 10), (Some(1), 10), (Some(9000), 300)] {
        let followed = Followed::with(|builder| match bound {
            Some(bound) => builder.stale_after(Duration::from_secs(bound)),
            None => builder,
        });
        let token = || followed.token().mint();
        followed.verifier.revocations_known().await;
        followed.pass(1).await;
        followed.issuer.set_partitioned(true);
        followed.pass_in_silence(seconds).await;
        assert_eq!(followed.verdict(&token()).await, Ok(()), "at {seconds}");
        assert!(followed.status().is_current);
        followed.pass_in_silence(1).await;
        let refused = Err(VerifyError::RevocationsStale);
        assert_eq!(followed.verdict(&token()).await, refused, "after {seconds}");
        assert!(!followed.status().is_current);
        followed.issuer.set_partitioned(false);
        tokio::time::sleep(Duration::from_secs(20)).await;
        followed.issuer.heartbeat();
        followed.until(|status| status.is_current).await;
        assert_eq!(followed.verdict(&token()).await, Ok(()));
    }
}

/// A restart within a partition: what it never was told it does not guess.
#[tokio::test(start_paused = true)]
async fn a_verifier_that_was_told_nothing_yet_refuses() {
    let followed = Followed::new();
    followed.issuer.set_partitioned(true);
    for policy in [
        WhenStale::FailClosed,
        WhenStale::AcceptUpTo(Duration::from_hours(1)),
    ] {
        let verifier = another(&followed.issuer, followed.clock, |b| b.when_stale(policy));
        let began = tokio::time::Instant::now();
        let verdict = verifier.verify(&followed.token().mint()).await.map(drop);
        assert_eq!(verdict, Err(VerifyError::RevocationsStale), "{policy:?}");
        assert_eq!(began.elapsed().as_secs(), 5, "it waited for the first word");
        let verdict = verifier.verify(&followed.token().mint()).await.map(drop);
        assert_eq!(verdict, Err(VerifyError::RevocationsStale), "{policy:?}");
        assert_eq!(began.elapsed().as_secs(), 5, "and only once");
    }
}

/// Each route as its layer says; and what is known to be revoked is refused by all of them.
#[tokio::test(start_paused = true)]
async fn each_route_has_its_own_policy() {
    let followed = Followed::with(|builder| builder.introspection(|_: &str| Ok(true)));
    let policies = [
        None,
        Some(WhenStale::FailClosed),
        Some(WhenStale::Introspect),
        Some(WhenStale::AcceptUpTo(Duration::from_mins(1))),
        Some(WhenStale::AcceptUpTo(Duration::from_secs(10))),
    ];
    let routers = policies.map(|policy| {
        let guard = policy.map_or_else(Guard::default, Guard::when_stale);
        let layer = followed.verifier.layer().guard(guard);
        let router: Router = Router::new().route("/", get_route(|| async { "in" }));
        router.layer(layer)
    });
    followed.verifier.revocations_known().await;
    let token = followed.token().claim("exp", 1_790_000_600).mint();
    let other = followed
        .token()
        .claim("sid", "other")
        .claim("exp", 1_790_000_600)
        .mint();
    followed
        .revoke(&Ended::Session(JUNIPER, "other".to_owned()))
        .await;
    followed.pass(1).await;
    followed.issuer.set_partitioned(true);
    let mut passed = 0;
    for (seconds, expected) in [
        (10, [200, 200, 200, 200, 200]),
        (11, [200, 200, 200, 200, 503]),
        (30, [200, 200, 200, 200, 503]),
        (31, [503, 503, 200, 200, 503]),
        (60, [503, 503, 200, 200, 503]),
        (61, [503, 503, 200, 503, 503]),
    ] {
        followed.pass_in_silence(seconds - passed).await;
        passed = seconds;
        for ((router, expected), policy) in routers.iter().zip(expected).zip(policies) {
            let answer = get(router, "/", &token).await;
            assert_eq!(answer.status.as_u16(), expected, "{policy:?} at {seconds}");
            if expected == 503 {
                let code = answer.refused(StatusCode::SERVICE_UNAVAILABLE);
                assert_eq!(code, "temporarily_unavailable");
                assert!(answer.headers.contains_key(RETRY_AFTER));
            }
            let revoked = get(router, "/", &other).await;
            assert_eq!(revoked.refused(StatusCode::UNAUTHORIZED), "invalid_token");
        }
    }
}

/// An issuer that can be asked, or not; and how often it was.
#[derive(Clone, Default)]
struct Asked {
    count: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    is_down: Arc<AtomicBool>,
}

impl Asked {
    fn answer(&self) -> Result<bool, IntrospectionError> {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.is_down.load(Ordering::SeqCst) {
            return Err(IntrospectionError::Unreachable("down".to_owned()));
        }
        Ok(!self.is_over.load(Ordering::SeqCst))
    }

    fn take_count(&self) -> usize {
        self.count.swap(0, Ordering::SeqCst)
    }
}

fn introspecting() -> (Followed, Asked) {
    let asked = Asked::default();
    let answering = asked.clone();
    let followed = Followed::with(|builder| {
        let introspector = move |_: &str| answering.answer();
        builder
            .introspection(introspector)
            .when_stale(WhenStale::Introspect)
    });
    followed.issuer.set_partitioned(true);
    (followed, asked)
}

/// INTR-10: an answer is believed for 5 seconds, for its token alone, and not past its end.
#[tokio::test(start_paused = true)]
async fn an_answer_is_believed_for_five_seconds() {
    let (followed, asked) = introspecting();
    let token = followed.token().mint();
    let other = followed.token().claim("jti", "other").mint();
    for _ in 0..3 {
        assert_eq!(followed.verdict(&token).await, Ok(()));
    }
    assert_eq!(asked.take_count(), 1);
    assert_eq!(followed.verdict(&other).await, Ok(()));
    assert_eq!(asked.take_count(), 1, "another token is another question");
    asked.is_over.store(true, Ordering::SeqCst);
    followed.pass_in_silence(4).await;
    assert_eq!(followed.verdict(&other).await, Ok(()));
    assert_eq!(asked.take_count(), 0);
    followed.pass_in_silence(1).await;
    assert_eq!(followed.verdict(&other).await, Err(VerifyError::Revoked));
    asked.is_over.store(false, Ordering::SeqCst);
    followed.pass_in_silence(60).await;
    assert_eq!(
        followed.verdict(&other).await,
        Err(VerifyError::Revoked),
        "for good"
    );
    assert_eq!(asked.take_count(), 1);
    let brief = followed.token().claim("exp", 1_790_000_071).mint();
    assert_eq!(followed.verdict(&brief).await, Ok(()));
    followed.pass_in_silence(11).await;
    assert_eq!(followed.verdict(&brief).await, Err(VerifyError::Expired));
}

/// Nobody says: nobody gets in. Nor is an introspector asked while the verifier knows by itself.
#[tokio::test(start_paused = true)]
async fn who_cannot_ask_refuses() {
    let (followed, asked) = introspecting();
    asked.is_down.store(true, Ordering::SeqCst);
    let token = followed.token().mint();
    for _ in 0..2 {
        let verdict = followed.verdict(&token).await;
        assert_eq!(verdict, Err(VerifyError::RevocationsStale));
    }
    assert_eq!(asked.take_count(), 2, "no failure is remembered");
    followed.issuer.set_partitioned(false);
    tokio::time::sleep(Duration::from_secs(20)).await;
    followed.issuer.heartbeat();
    followed.until(|status| status.is_current).await;
    assert_eq!(followed.verdict(&token).await, Ok(()));
    assert_eq!(asked.take_count(), 0);

    let without = Followed::with(|builder| builder.when_stale(WhenStale::Introspect));
    without.issuer.set_partitioned(true);
    let verdict = without.verdict(&without.token().mint()).await;
    assert_eq!(verdict, Err(VerifyError::RevocationsStale));
}

/// INTR-10: an answer "active" gives no scope, no audience and no tenant.
#[tokio::test(start_paused = true)]
async fn an_answer_skips_no_check() {
    let (followed, _) = introspecting();
    let layer = followed
        .verifier
        .layer()
        .guard(Guard::scope("visits:write"));
    let router: Router = Router::new().route("/", get_route(|| async { "in" }));
    let router = router.layer(layer);
    let reading = followed.token().scope("visits:read").mint();
    let answer = get(&router, "/", &reading).await;
    assert_eq!(answer.refused(StatusCode::FORBIDDEN), "insufficient_scope");
    let elsewhere = followed
        .token()
        .claim("aud", "https://billing.example")
        .mint();
    assert_eq!(
        followed.verdict(&elsewhere).await,
        Err(VerifyError::WrongAudience)
    );
}
