//! Receivers that are told (RFC 8935).

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, Method, StatusCode};
use lanyard::app::App;
use lanyard::revocation::receiver::push::{Pusher, push_all};
use lanyard::revocation::receiver::reach::Reach;
use serde_json::{Value, json};
use time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::ssf::{Receiver, VERIFICATION, push_to};
use super::{Stage, kind, opened, until};

/// What a receiver was sent, and with which status it answers.
#[derive(Clone, Default)]
struct Inbox {
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answers: Arc<AtomicU16>,
}

impl Inbox {
    async fn open() -> (Self, String) {
        let inbox = Self::default();
        inbox.answer(202);
        let router = Router::new()
            .route("/sets", post(take))
            .with_state(inbox.clone());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (inbox, format!("http://127.0.0.1:{port}/sets"))
    }

    fn answer(&self, status: u16) {
        self.answers.store(status, Ordering::SeqCst);
    }

    /// What came since last asked.
    fn take(&self) -> Vec<(HeaderMap, String)> {
        std::mem::take(&mut *self.got.lock().unwrap())
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, set: String) -> StatusCode {
    inbox.got.lock().unwrap().push((headers, set));
    StatusCode::from_u16(inbox.answers.load(Ordering::SeqCst)).unwrap()
}

/// As the app's own process has it.
fn pusher(app: &App) -> Pusher {
    Pusher::within(Reach::of(&app.config))
}

/// One round, until everybody was told or was not.
async fn round(app: &App, pusher: &Pusher) {
    let mut telling = JoinSet::new();
    push_all(app, pusher, &mut telling).await.unwrap();
    while let Some(told) = telling.join_next().await {
        told.unwrap();
    }
}

/// RFC 8935: each set in order, with the receiver's own header, until it is taken, and not once
/// more; what can't be used is not sent again. The header is shown to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_to_be_told_is_told_until_it_takes_it() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let receiver = Receiver::of(&stage).await;
    let (inbox, address) = Inbox::open().await;
    let wanted = push_to(&address, "Bearer of-the-receiver");
    let made = receiver
        .ask(Method::POST, "/ssf/stream", Some(wanted))
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(!made.body.contains("of-the-receiver"));
    let made = made.json();
    let shown = json!({ "method": "urn:ietf:rfc:8935", "endpoint_url": address });
    assert_eq!(made["delivery"], shown);
    let sealed: Vec<u8> = sqlx::query_scalar(
        "select push_authorization_sealed from revocation.receiver where client_id = $1",
    )
    .bind(&receiver.client.id)
    .fetch_one(&mut lab.database.superuser().await)
    .await
    .unwrap();
    assert!(!sealed.windows(15).any(|piece| piece == b"of-the-receiver"));
    let pusher = pusher(&lab.app);
    let told = async || {
        round(&lab.app, &pusher).await;
        let got = inbox.take();
        for (headers, _) in &got {
            assert_eq!(headers["content-type"], "application/secevent+jwt");
            assert_eq!(headers["authorization"], "Bearer of-the-receiver");
        }
        let opened = got.iter().map(|(_, set)| opened(lab, &json!(set)));
        opened.collect::<Vec<_>>()
    };
    assert!(told().await.is_empty(), "from now on");
    receiver.end_session_and_membership().await;
    inbox.answer(503);
    let first = told().await;
    assert_eq!(first.len(), 1, "the next one waits for it");
    assert!(told().await.is_empty(), "not at once again");
    inbox.answer(202);
    lab.clock.advance(Duration::SECOND);
    let both = told().await;
    // Signed anew, so `iat` is another's; all else is the same event (RFC 8417 §2.2).
    let event = |set: &Value| [&set["jti"], &set["events"], &set["sub_id"]].map(Clone::clone);
    assert_eq!(event(&both[0]), event(&first[0]), "the same event");
    let kinds: Vec<_> = both.iter().map(kind).collect();
    assert_eq!(kinds.last().unwrap(), "membership-revoked", "{kinds:?}");
    assert!(told().await.is_empty());
    assert!(receiver.polled(&[]).await.is_empty(), "it has all of it");

    inbox.answer(400);
    let wanted = json!({ "stream_id": made["stream_id"], "state": "mine" });
    receiver
        .ask(Method::POST, "/ssf/verify", Some(wanted))
        .await;
    let proof = told().await;
    assert_eq!(proof[0]["events"][VERIFICATION]["state"], "mine");
    inbox.answer(202);
    assert!(told().await.is_empty(), "it could not use it");
}

/// One server tells a receiver at a time; while its stream is paused nobody does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_servers_one_tells_a_receiver() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let other = lab.second_node().await;
    let receiver = Receiver::of(&stage).await;
    let (inbox, address) = Inbox::open().await;
    let wanted = push_to(&address, "Bearer x");
    let made = receiver
        .ask(Method::POST, "/ssf/stream", Some(wanted))
        .await
        .json();
    let set_status = async |status: &str| {
        let wanted = json!({ "stream_id": made["stream_id"], "status": status });
        let set = receiver
            .ask(Method::POST, "/ssf/status", Some(wanted))
            .await;
        assert_eq!(set.status, 200, "{}", set.body);
    };
    set_status("paused").await;
    receiver.end_session_and_membership().await;
    let pusher = pusher(&lab.app);
    let both = async || {
        tokio::join!(round(&lab.app, &pusher), round(&other.app, &pusher));
        inbox.take().len()
    };
    assert_eq!(both().await, 0, "paused");
    set_status("enabled").await;
    let owed = receiver.polled(&[]).await.len();
    assert!(owed > 0);
    assert_eq!(both().await, owed, "each set once");
}

/// One receiver takes the connection and says nothing, another's row can't be read: the third is
/// told of everything meanwhile, round after round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_slow_or_broken_keeps_nobody_else() {
    let stage = Stage::new().await;
    let app = &stage.world.lab.app;
    let (slow, broken) = (Receiver::of(&stage).await, Receiver::of(&stage).await);
    let third = Receiver::of(&stage).await;
    let silence = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let silent = format!("http://{}/sets", silence.local_addr().unwrap());
    let (inbox, address) = Inbox::open().await;
    for (receiver, address) in [(&slow, &silent), (&broken, &address), (&third, &address)] {
        let wanted = push_to(address, &format!("Bearer {}", receiver.client.id));
        let made = receiver
            .ask(Method::POST, "/ssf/stream", Some(wanted))
            .await;
        assert_eq!(made.status, 201, "{}", made.body);
    }
    let spoil = "update revocation.receiver set push_authorization_sealed = '\\x00'";
    stage
        .sql(&format!("{spoil} where client_id = '{}'", broken.client.id))
        .await;
    let (pusher, telling) = (pusher(app), tokio::sync::Mutex::new(JoinSet::new()));
    let thirds = format!("Bearer {}", third.client.id);
    let is_told = |ended: &str| {
        inbox.got.lock().unwrap().iter().any(|(headers, set)| {
            assert_eq!(headers["authorization"], thirds);
            kind(&opened(&stage.world.lab, &json!(set))) == ended
        })
    };
    for (status, ended) in [
        ("suspended", "tenant-revoked"),
        ("active", "tenant-resumed"),
    ] {
        let clinic = stage.world.clinic.id;
        let change = format!("update tenancy.tenant set status = '{status}'");
        stage
            .sql(&format!("{change} where tenant_id = '{clinic}'"))
            .await;
        let begun = async || {
            let mut telling = telling.lock().await;
            push_all(app, &pusher, &mut telling).await.unwrap();
            telling.len()
        };
        let count = begun().await;
        if status == "suspended" {
            assert_eq!(count, 3, "nobody was waited for");
        }
        until(ended, async || {
            begun().await;
            is_told(ended)
        })
        .await;
    }
    assert!(silence.accept().await.is_ok(), "it was told first");
}

/// Server-side request forgery: by a name as by a number, nothing is called that is not public
/// unless the operator named it. One that could be set before is not called either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_has_nothing_inside_called() {
    let stage = Stage::new().await;
    let lab = &stage.world.lab;
    let inside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = inside.local_addr().unwrap().port();
    for host in ["localhost", "127.0.0.1"] {
        let receiver = Receiver::of(&stage).await;
        let wanted = push_to(&format!("https://{host}:{port}/sets"), "Bearer x");
        let made = receiver
            .ask(Method::POST, "/ssf/stream", Some(wanted))
            .await;
        assert_eq!(
            made.status, 201,
            "beside a developer's issuer: {}",
            made.body
        );
    }
    let receiver = Receiver::of(&stage).await;
    for host in [
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "[::ffff:192.168.0.1]",
    ] {
        let wanted = push_to(&format!("https://{host}/sets"), "Bearer x");
        let refused = receiver
            .ask(Method::POST, "/ssf/stream", Some(wanted))
            .await;
        assert_eq!(refused.status, 400, "{host}");
    }
    receiver.end_session_and_membership().await;
    round(&lab.app, &Pusher::within(Reach::default())).await;
    let called = async || {
        let called = tokio::time::timeout(std::time::Duration::ZERO, inside.accept()).await;
        called.is_ok()
    };
    assert!(!called().await, "nobody has called");
    lab.clock.advance(Duration::SECOND);
    // What is called speaks no TLS.
    let calling = async {
        for _ in 0..2 {
            drop(inside.accept().await.unwrap());
        }
    };
    let pusher = pusher(&lab.app);
    tokio::join!(round(&lab.app, &pusher), calling);
}
