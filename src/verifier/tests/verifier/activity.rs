//! Activity reports: design §4. Time is tokio's, paused.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get as get_route;
use http::{Request, StatusCode};
use lanyard_verifier::test_issuer::{TestIssuer, TestToken};
use lanyard_verifier::{
    ActivityDelivery, ActivityError, ActivityEvent, ActivitySink, Clock, Guard, Verifier,
};
use tokio::time::sleep;

use crate::clock::TokioClock;
use crate::lab::{AUDIENCE, ISSUER, bearing, call};

const SECOND: Duration = Duration::from_secs(1);

/// Stands for the issuer's end: keeps what arrives, and can lose or refuse it.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    deliveries: Vec<Vec<ActivityEvent>>,
    troubles: Vec<Trouble>,
}

#[derive(Clone, Copy)]
enum Trouble {
    Lost,
    Refused,
    Hangs,
}

impl Recorder {
    fn troubled(&self, troubles: &[Trouble]) {
        self.0.lock().expect("not poisoned").troubles = troubles.to_vec();
    }

    fn deliveries(&self) -> Vec<Vec<ActivityEvent>> {
        self.0.lock().expect("not poisoned").deliveries.clone()
    }

    /// All events that arrived, by their session, in order.
    fn sids(&self) -> Vec<String> {
        self.deliveries()
            .concat()
            .into_iter()
            .map(|event| event.sid)
            .collect()
    }
}

impl ActivitySink for Recorder {
    fn deliver<'a>(&'a self, events: &'a [ActivityEvent]) -> ActivityDelivery<'a> {
        Box::pin(async {
            let trouble = {
                let mut recorded = self.0.lock().expect("not poisoned");
                let trouble = recorded.troubles.pop();
                if trouble.is_none() {
                    recorded.deliveries.push(events.to_vec());
                }
                trouble
            };
            match trouble {
                None => Ok(()),
                Some(Trouble::Lost) => Err(ActivityError::Lost("this is the test".to_owned())),
                Some(Trouble::Refused) => Err(ActivityError::Refused(401)),
                Some(Trouble::Hangs) => std::future::pending().await,
            }
        })
    }
}

struct World {
    issuer: TestIssuer,
    clock: TokioClock,
    sink: Recorder,
    verifier: Verifier,
    router: Router,
}

impl World {
    fn new() -> Self {
        let clock = TokioClock::new();
        let issuer = TestIssuer::new(ISSUER).clock(clock);
        let sink = Recorder::default();
        let verifier = Verifier::builder(ISSUER, AUDIENCE)
            .keys(issuer.keys())
            .clock(clock)
            .activity(sink.clone())
            .build()
            .expect("all is given");
        let router = Router::new()
            .route("/", get_route(|| async { "in" }))
            .layer(verifier.layer().guard(Guard::scope("visits:read")));
        Self {
            issuer,
            clock,
            sink,
            verifier,
            router,
        }
    }

    fn token(&self) -> TestToken {
        self.issuer.token(AUDIENCE).scope("visits:read")
    }

    async fn call(&self, token: &str, mark: Option<&str>) -> StatusCode {
        let mut request = bearing(Request::get("/"), token);
        if let Some(mark) = mark {
            request = request.header("Lanyard-Activity", mark);
        }
        call(&self.router, request).await.status
    }

    async fn person(&self) {
        assert_eq!(
            self.call(&self.token().mint(), Some("person")).await,
            StatusCode::OK
        );
    }
}

/// Design §4: with its instant, and what the issuer needs to check it.
#[tokio::test(start_paused = true)]
async fn the_first_activity_is_reported_at_once() {
    let world = World::new();
    let before = world.clock.now();
    world.person().await;
    sleep(Duration::from_millis(1)).await;
    let deliveries = world.sink.deliveries();
    let [event] = &deliveries[..] else {
        panic!("one delivery, not {deliveries:?}")
    };
    let [event] = &event[..] else {
        panic!("one event, not {event:?}")
    };
    assert_eq!(
        (event.jti.as_str(), event.sid.as_str()),
        ("test-token", "test-session")
    );
    assert_eq!(event.at, before);
    let json = serde_json::to_value(event).expect("JSON");
    let at = event.at.unix_timestamp();
    let expected = serde_json::json!({
        "jti": "test-token",
        "tid": "7e5a0000-0000-4000-8000-00000000000a",
        "sid": "test-session",
        "iat": at,
        "exp": at + 300,
        "at": at,
    });
    assert_eq!(json, expected);
}

/// Design §4: unmarked calls, machines and refused calls keep no session alive.
#[tokio::test(start_paused = true)]
async fn only_what_a_person_did_counts() {
    let world = World::new();
    let token = world.token().mint();
    for mark in [
        None,
        Some("machine"),
        Some("Person"),
        Some(""),
        Some("person, person"),
    ] {
        assert_eq!(world.call(&token, mark).await, StatusCode::OK);
    }
    let twice = bearing(Request::get("/"), &token)
        .header("Lanyard-Activity", "person")
        .header("Lanyard-Activity", "person");
    assert_eq!(call(&world.router, twice).await.status, StatusCode::OK);
    let machine = world.token().without_sign_in().mint();
    assert_eq!(world.call(&machine, Some("person")).await, StatusCode::OK);
    let weak = world.token().scope("").mint();
    assert_eq!(
        world.call(&weak, Some("person")).await,
        StatusCode::FORBIDDEN
    );
    let forged = world.token().header("alg", "none").mint();
    assert_eq!(
        world.call(&forged, Some("person")).await,
        StatusCode::UNAUTHORIZED
    );
    sleep(SECOND * 120).await;
    assert_eq!(world.sink.deliveries().len(), 0);
}

/// Design §4: later ones within 60 s, as one, the last.
#[tokio::test(start_paused = true)]
async fn later_activity_is_sent_as_one_within_a_minute() {
    let world = World::new();
    let start = world.clock.now();
    world.person().await;
    for _ in 0..30 {
        sleep(SECOND).await;
        world.person().await;
    }
    assert_eq!(world.sink.deliveries().len(), 1, "held back");
    sleep(SECOND * 30).await;
    let events = world.sink.deliveries().concat();
    let at: Vec<i64> = events
        .iter()
        .map(|event| (event.at - start).whole_seconds())
        .collect();
    assert_eq!(at, [0, 30]);
}

/// Design §4: whoever goes on working is never reported later than 60 s, hour after hour.
#[tokio::test(start_paused = true)]
async fn steady_work_is_reported_at_least_every_minute() {
    let world = World::new();
    let start = world.clock.now();
    for second in 0..600 {
        world.person().await;
        sleep(SECOND).await;
        let last = world
            .sink
            .deliveries()
            .concat()
            .last()
            .map(|event| event.at);
        let last = (last.expect("the first at once") - start).whole_seconds();
        assert!(
            second - last <= 60,
            "at {second} s the last report is of {last} s"
        );
    }
    let deliveries = world.sink.deliveries().len();
    assert!(deliveries <= 15, "{deliveries} deliveries in ten minutes");
}

/// Design §4: after a minute of silence the next one goes out at once again.
#[tokio::test(start_paused = true)]
async fn after_silence_activity_is_reported_at_once() {
    let world = World::new();
    for (silent_ms, deliveries) in [(1, 1), (60_000, 2), (59_999, 2), (3_600_000, 4)] {
        sleep(Duration::from_millis(silent_ms - 1)).await;
        world.person().await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!(
            world.sink.deliveries().len(),
            deliveries,
            "after {silent_ms} ms"
        );
    }
}

/// Sessions are told apart, by tenant too: a session id is the issuer's within a tenant.
#[tokio::test(start_paused = true)]
async fn each_session_is_reported_for_itself() {
    let world = World::new();
    for sid in ["a", "b", "a", "c", "b"] {
        let token = world.token().claim("sid", sid).mint();
        assert_eq!(world.call(&token, Some("person")).await, StatusCode::OK);
    }
    let other = world
        .token()
        .claim("sid", "a")
        .tenant(crate::lab::BOREALIS)
        .mint();
    assert_eq!(world.call(&other, Some("person")).await, StatusCode::OK);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(world.sink.sids(), ["a", "b", "c", "a"]);
    sleep(SECOND * 60).await;
    assert_eq!(world.sink.sids().len(), 6, "what was held of a and b");
}

/// Design §4: a lost delivery is tried once more, and no request waits for it.
#[tokio::test(start_paused = true)]
async fn a_lost_report_is_tried_once_more() {
    for (troubles, arrives) in [
        (&[Trouble::Lost][..], true),
        (&[Trouble::Hangs][..], true),
        (&[Trouble::Lost, Trouble::Lost][..], false),
        (&[Trouble::Refused][..], false),
    ] {
        let world = World::new();
        world.sink.troubled(troubles);
        world.person().await;
        sleep(SECOND * 12).await;
        assert_eq!(world.sink.deliveries().len() == 1, arrives);
        // What comes later is not held up by what was lost.
        let token = world.token().claim("sid", "later").mint();
        assert_eq!(world.call(&token, Some("person")).await, StatusCode::OK);
        sleep(SECOND).await;
        assert_eq!(world.sink.sids().last().map(String::as_str), Some("later"));
    }
}

/// An issuer that never answers costs memory up to a bound, and no request.
#[tokio::test(start_paused = true)]
async fn an_issuer_that_hangs_holds_up_no_request() {
    let world = World::new();
    world.sink.troubled(&[Trouble::Hangs; 8]);
    let start = tokio::time::Instant::now();
    for sid in 0..500 {
        let token = world.token().claim("sid", sid.to_string()).mint();
        assert_eq!(world.call(&token, Some("person")).await, StatusCode::OK);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_can_be_sent_before_the_end() {
    let world = World::new();
    world.person().await;
    sleep(SECOND).await;
    world.person().await;
    assert_eq!(world.sink.deliveries().len(), 1);
    world.verifier.flush_activity().await;
    assert_eq!(world.sink.deliveries().len(), 2);
    world.verifier.flush_activity().await;
    assert_eq!(world.sink.deliveries().len(), 2, "once");
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_sent_when_the_verifier_goes() {
    let World {
        sink,
        verifier,
        router,
        issuer,
        ..
    } = World::new();
    let token = issuer.token(AUDIENCE).scope("visits:read").mint();
    for _ in 0..2 {
        let request = bearing(Request::get("/"), &token).header("Lanyard-Activity", "person");
        assert_eq!(call(&router, request).await.status, StatusCode::OK);
        sleep(SECOND).await;
    }
    assert_eq!(sink.deliveries().len(), 1);
    drop((verifier, router));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(sink.deliveries().len(), 2);
}
