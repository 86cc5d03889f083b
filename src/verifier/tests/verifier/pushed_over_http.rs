//! Revocations over real connections: snapshot, stream, standing; introspection; the record of
//! requests under impersonation.

use axum::Router;
use axum::routing::any;
use http::{Request, StatusCode};
use lanyard_verifier::test_issuer::{Ended, TestKey};
use lanyard_verifier::{
    BuildError, HttpClient, HttpIntrospector, HttpKeySource, HttpRecorder, HttpRevocationSource,
    SubjectId, Verifier, VerifyError, WhenStale,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::endpoints::{SECRET, World, parts};
use crate::followed::until;
use crate::lab::{AUDIENCE, BOREALIS, JUNIPER, NOW, bearing, call};
use crate::served::{AUTHORITY, well_behaved, with_tls};

fn session() -> Ended {
    Ended::Session(JUNIPER, "test-session".to_owned())
}

async fn verdict(verifier: &Verifier, token: &str) -> Result<(), VerifyError> {
    verifier.verify(token).await.map(drop)
}

/// Snapshot, stream, refusal, standing: with TLS, as in life.
#[tokio::test]
async fn a_verifier_follows_its_issuer() {
    let (clock, issuer, ends) = parts();
    let (routes, served) = (well_behaved(&issuer), ends.router());
    let (url, _) = with_tls(|url| routes(url).merge(served)).await;
    let client = HttpClient::trusting(AUTHORITY).expect("a certificate");
    let source = HttpRevocationSource::new(&url, "api-visits", SECRET).expect("a URL");
    let verifier = Verifier::builder(&url, AUDIENCE)
        .keys(
            HttpKeySource::new(&url)
                .expect("a URL")
                .client(client.clone()),
        )
        .revocations(source.client(client))
        .clock(clock)
        .build()
        .expect("all is given");
    let issuer = issuer.named(&url);
    issuer.revoke(AUDIENCE, &Ended::Tenant(BOREALIS));
    let token = issuer.token(AUDIENCE).tenant(JUNIPER).mint();
    let elsewhere = issuer.token(AUDIENCE).tenant(BOREALIS).mint();
    assert_eq!(verdict(&verifier, &token).await, Ok(()));
    let refused = Err(VerifyError::Revoked);
    assert_eq!(
        verdict(&verifier, &elsewhere).await,
        refused,
        "by the snapshot"
    );
    issuer.revoke(AUDIENCE, &session());
    until(&verifier, |status| status.position == Some(2)).await;
    assert_eq!(verdict(&verifier, &token).await, refused, "by the stream");
    assert_eq!(ends.heard("/revocations"), ["1"]);
    let status = verifier.feed_status().expect("it follows");
    assert_eq!((status.accepted, status.unusable, status.held), (2, 0, 2));
    while ends.heard("/revocations/standing").is_empty() {
        tokio::task::yield_now().await;
    }
    let standing = &ends.heard("/revocations/standing")[0];
    let standing: Value = serde_json::from_str(standing).expect("JSON");
    assert_eq!(standing["version"], env!("CARGO_PKG_VERSION"));
    for member in ["keys_age_seconds", "position", "lag_milliseconds"] {
        assert!(standing[member].is_u64(), "{standing}");
    }
    assert_eq!(standing["instance"].as_str().expect("text").len(), 16);
    assert_eq!(standing.as_object().expect("an object").len(), 5);
}

/// `Last-Event-ID` (WHATWG HTML §9.2.4): what happened while the stream was broken is told after.
#[tokio::test]
async fn a_broken_stream_goes_on_from_where_it_was() {
    let world = World::new().await;
    let (verifier, token) = (world.verifier(), world.token());
    assert_eq!(verdict(&verifier, &token).await, Ok(()));
    world.issuer.revoke(AUDIENCE, &Ended::Tenant(BOREALIS));
    until(&verifier, |status| status.position == Some(1)).await;
    world.issuer.cut_streams();
    world.issuer.revoke(AUDIENCE, &session());
    until(&verifier, |status| status.position == Some(2)).await;
    assert_eq!(verdict(&verifier, &token).await, Err(VerifyError::Revoked));
    assert_eq!(world.ends.heard("/revocations"), ["0", "1"]);
    assert_eq!(verifier.feed_status().expect("it follows").snapshots, 1);
}

/// What was lost on the way, and what is not kept any more, is in the next snapshot.
#[tokio::test]
async fn what_was_missed_is_in_the_next_snapshot() {
    for is_away in [false, true] {
        let world = World::new().await;
        let (verifier, token) = (world.verifier(), world.token());
        assert_eq!(verdict(&verifier, &token).await, Ok(()));
        if is_away {
            world.issuer.set_partitioned(true);
            world.issuer.revoke(AUDIENCE, &session());
            world.issuer.forget_past();
            world.issuer.set_partitioned(false);
        } else {
            let lost = world.issuer.security_event(AUDIENCE, &session());
            world.issuer.publish_lost(lost.mint());
            world.issuer.revoke(AUDIENCE, &Ended::Tenant(BOREALIS));
        }
        until(&verifier, |status| status.snapshots == 2 && status.held > 0).await;
        assert_eq!(verdict(&verifier, &token).await, Err(VerifyError::Revoked));
        let paths = world.paths.seen();
        let snapshots = paths.iter().filter(|path| path.ends_with("/snapshot"));
        assert_eq!(snapshots.count(), 2);
    }
}

/// Nothing comes through: refused at the bound, and let in again after.
#[tokio::test]
async fn a_partitioned_verifier_refuses_at_its_bound() {
    let world = World::new().await;
    let (verifier, token) = (world.verifier(), world.token());
    assert_eq!(verdict(&verifier, &token).await, Ok(()));
    world.issuer.set_partitioned(true);
    world.issuer.revoke(AUDIENCE, &session());
    // 30 seconds, and a leeway and a half: the test's own clock does not say when a word came.
    world.clock.set(NOW + 29);
    assert_eq!(
        verdict(&verifier, &token).await,
        Ok(()),
        "not told, and within the bound"
    );
    world.clock.set(NOW + 31);
    let stale = Err(VerifyError::RevocationsStale);
    assert_eq!(verdict(&verifier, &token).await, stale);
    world.issuer.set_partitioned(false);
    until(&verifier, |status| status.is_current).await;
    assert_eq!(verdict(&verifier, &token).await, Err(VerifyError::Revoked));
}

/// Held up on its way, a heartbeat proves no more than it did when it was sent.
#[tokio::test]
async fn a_heartbeat_that_was_held_up_is_as_old_as_it_says() {
    let world = World::new().await;
    let (verifier, token) = (world.verifier(), world.token());
    let late = json!({ "position": 0, "issuer_time": NOW - 36 });
    let beat = format!("id: 0\nevent: lag\ndata: {late}\n\n");
    world
        .ends
        .answer_instead("/revocations", StatusCode::OK, &beat);
    let stale = Err(VerifyError::RevocationsStale);
    assert_eq!(verdict(&verifier, &token).await, stale);
    let lag = verifier.feed_status().and_then(|status| status.lag);
    assert!(
        lag.is_some_and(|lag| lag.as_secs() == 31),
        "less the leeway: {lag:?}"
    );
    world.ends.answer_well();
    until(&verifier, |status| status.is_current).await;
    assert_eq!(verdict(&verifier, &token).await, Ok(()));
}

/// A verifier that begins anew begins with a snapshot, and lets nobody in without one.
#[tokio::test]
async fn a_restarted_verifier_begins_with_a_snapshot() {
    let world = World::new().await;
    world.issuer.revoke(AUDIENCE, &session());
    let token = world.token();
    assert_eq!(
        verdict(&world.verifier(), &token).await,
        Err(VerifyError::Revoked)
    );
    for (path, status, body) in [
        ("/revocations/snapshot", StatusCode::UNAUTHORIZED, ""),
        ("/revocations/snapshot", StatusCode::SERVICE_UNAVAILABLE, ""),
        ("/revocations/snapshot", StatusCode::TEMPORARY_REDIRECT, ""),
        (
            "/revocations/snapshot",
            StatusCode::OK,
            "<html>sign in to this network</html>",
        ),
        ("/revocations/snapshot", StatusCode::OK, r#"{"position":1}"#),
        (
            "/revocations/snapshot",
            StatusCode::OK,
            r#"{"position":1,"position":2,"sets":[]}"#,
        ),
        (
            "/revocations/snapshot",
            StatusCode::OK,
            r#"{"position":-1,"sets":[]}"#,
        ),
        ("/revocations", StatusCode::FORBIDDEN, ""),
        ("/revocations", StatusCode::OK, "event: lag\ndata: {}\n\n"),
        (
            "/revocations",
            StatusCode::OK,
            "event: set\ndata: {\"prev\":1,\"set\":\"\"}\n\n",
        ),
        (
            "/revocations",
            StatusCode::OK,
            "event: snapshot-required\ndata: {}\n\n",
        ),
        (
            "/revocations",
            StatusCode::OK,
            "event: unknown\ndata: {}\n\n",
        ),
    ] {
        world.ends.answer_instead(path, status, body);
        let verifier = world.builder().revocations(world.source());
        let verifier = verifier.when_stale(WhenStale::AcceptUpTo(std::time::Duration::MAX));
        let verifier = verifier.build().expect("all is given");
        let known = tokio::time::timeout(
            std::time::Duration::from_millis(100),
            verifier.revocations_known(),
        );
        assert!(known.await.is_err(), "{path} {status} {body}");
    }
}

/// A forged one in the midst of the stream: nothing comes of it, and what it stands for is not
/// lost.
#[tokio::test]
async fn a_forged_event_in_the_stream_is_asked_for_again() {
    let world = World::new().await;
    let (verifier, token) = (world.verifier(), world.token());
    assert_eq!(verdict(&verifier, &token).await, Ok(()));
    let tenant = world
        .issuer
        .security_event(AUDIENCE, &Ended::Tenant(JUNIPER));
    let forged = tenant.signed_by(TestKey::es256("test-1")).mint();
    let position = world.issuer.publish(forged);
    until(&verifier, |status| status.unusable > 0).await;
    assert_eq!(verdict(&verifier, &token).await, Ok(()));
    let good = world.issuer.security_event(AUDIENCE, &session()).mint();
    world.issuer.republish(position, good);
    until(&verifier, |status| status.held == 1).await;
    assert_eq!(verdict(&verifier, &token).await, Err(VerifyError::Revoked));
    let status = verifier.feed_status().expect("it follows");
    assert_eq!((status.position, status.snapshots), (Some(position), 1));
}

/// RFC 7662 §2: asked by the API's own client; what is no answer lets nobody in.
#[tokio::test]
async fn the_issuer_is_asked_about_a_token() {
    let world = World::new().await;
    world.issuer.set_partitioned(true);
    let introspector = || HttpIntrospector::new(&world.url, "api-visits", SECRET);
    let verifier = world
        .builder()
        .revocations(world.issuer.revocations())
        .introspection(introspector().expect("a URL"))
        .when_stale(WhenStale::Introspect)
        .build()
        .expect("all is given");
    let token = |jti: &str| world.issuer.token(AUDIENCE).claim("jti", jti).mint();
    let first = token("first");
    assert_eq!(verdict(&verifier, &first).await, Ok(()));
    assert_eq!(
        verdict(&verifier, &first).await,
        Ok(()),
        "as it was answered"
    );
    let asked = format!("token={first}&token_type_hint=access_token");
    assert_eq!(world.ends.heard("/introspect"), [asked]);
    let stale = VerifyError::RevocationsStale;
    for (n, (status, body, expected)) in [
        (StatusCode::OK, r#"{"active":true}"#, Ok(())),
        (
            StatusCode::OK,
            r#"{"active":false}"#,
            Err(VerifyError::Revoked),
        ),
        (StatusCode::OK, r#"{"active":"true"}"#, Err(stale)),
        (
            StatusCode::OK,
            r#"{"active":false,"active":true}"#,
            Err(stale),
        ),
        (StatusCode::OK, "{}", Err(stale)),
        (StatusCode::OK, "[true]", Err(stale)),
        (StatusCode::UNAUTHORIZED, r#"{"active":true}"#, Err(stale)),
        (StatusCode::BAD_GATEWAY, r#"{"active":true}"#, Err(stale)),
    ]
    .into_iter()
    .enumerate()
    {
        world.ends.answer_instead("/introspect", status, body);
        let token = token(&n.to_string());
        assert_eq!(
            verdict(&verifier, &token).await,
            expected,
            "{status} {body}"
        );
    }
    let bad = HttpIntrospector::new("http://id.example", "api-visits", SECRET);
    assert_eq!(bad.map(drop), Err(BuildError::Issuer));
}

/// The issuer has it on record before the handler runs; if not, the answer is 503.
#[tokio::test]
async fn a_request_under_impersonation_is_on_the_issuers_record() {
    let world = World::new().await;
    let recorder = HttpRecorder::new(&world.url, "api-visits", SECRET).expect("a URL");
    let verifier = world
        .builder()
        .recorder(recorder)
        .build()
        .expect("all is given");
    let router: Router = Router::new()
        .route("/visits/{visit}", any(|| async { "in" }))
        .layer(verifier.layer());
    let token = world.issuer.token(AUDIENCE).tenant(JUNIPER);
    let token = token.actor(SubjectId::from_uuid(Uuid::from_u128(7))).mint();
    let ask = || call(&router, bearing(Request::get("/visits/1?q=x"), &token));
    assert_eq!(ask().await.status, StatusCode::OK);
    let heard = world.ends.heard("/activity/acted");
    let report: Value = serde_json::from_str(&heard[0]).expect("JSON");
    let event = json!({
        "jti": "test-token", "tid": JUNIPER, "sid": "test-session", "iat": NOW, "exp": NOW + 300,
        "at": NOW, "method": "GET", "route": "/visits/1", "status": 100,
    });
    assert_eq!(report, json!({ "events": [event] }));
    let post = bearing(Request::post("/visits/1"), &token);
    assert_eq!(call(&router, post).await.status, StatusCode::FORBIDDEN);
    let refused = &world.ends.heard("/activity/acted")[1];
    let refused: Value = serde_json::from_str(refused).expect("JSON");
    assert_eq!(refused["events"][0]["status"], 403);
    for status in [StatusCode::FORBIDDEN, StatusCode::INTERNAL_SERVER_ERROR] {
        world.ends.answer_instead("/activity/acted", status, "");
        let code = ask().await.refused(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(code, "temporarily_unavailable");
    }
    assert_eq!(world.ends.heard("/activity/acted").len(), 2);
}
