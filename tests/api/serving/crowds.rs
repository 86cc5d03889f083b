//! More than there is room for.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::Method;
use time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{beside, connect, host, until_closed};
use crate::lab::cluster::tell;
use crate::lab::{Answer, Lab};

/// The next connection over the bound is told to come back, at once; when one ends there is room.
#[tokio::test]
async fn a_connection_beyond_the_bound_is_told_to_come_back() {
    for by_peer in [false, true] {
        let lab = Lab::with(|config| {
            config.limits.connections = if by_peer { 100 } else { 4 };
            config.limits.connections_per_peer = if by_peer { 4 } else { 100 };
        })
        .await;
        let from = Ipv4Addr::new(127, 8, 0, 1);
        let request = format!("GET /jwks HTTP/1.1\r\nHost: {}\r\n\r\n", host(&lab));
        let mut held = Vec::new();
        for _ in 0..4 {
            let mut stream = connect(lab.address, from).await;
            stream.write_all(request.as_bytes()).await.unwrap();
            // Answered, so it was let in.
            stream.read_exact(&mut [0; 15]).await.unwrap();
            held.push(stream);
        }
        let said = until_closed(&mut connect(lab.address, from).await).await;
        assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
        assert!(said.contains("retry-after: 1"), "{said}");
        if by_peer {
            let elsewhere = lab.browser().get("/jwks").await;
            assert_eq!(elsewhere.status, 200, "another network has its own bound");
        }
        held.clear();
        loop {
            let mut stream = connect(lab.address, from).await;
            let last = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(last.as_bytes()).await;
            if until_closed(&mut stream).await.starts_with("HTTP/1.1 200 ") {
                break;
            }
        }
    }
}

#[track_caller]
fn is_told_to_come_back(answer: &Answer, kind: &str) {
    assert_eq!(answer.status, 503, "{}: {}", answer.url, answer.body);
    assert_eq!(answer.header("retry-after"), "1", "{}", answer.url);
    assert!(
        answer.header("content-type").starts_with(kind),
        "{}",
        answer.url
    );
    assert_eq!(answer.header("cache-control"), "no-store", "{}", answer.url);
}

/// Beyond the bound of requests each is told so in its own form, under the usual headers.
#[tokio::test]
async fn a_request_beyond_the_bound_is_told_so_in_its_own_form() {
    let lab = Lab::with(|config| config.limits.requests = 0).await;
    let browser = lab.browser();
    let cases = [
        (Method::POST, "/token", "*/*", "application/json"),
        (
            Method::GET,
            "/api/v1/visits",
            "*/*",
            "application/problem+json",
        ),
        (Method::GET, "/sign-in", "text/html", "text/html"),
        (Method::GET, "/jwks", "application/json", ""),
    ];
    for (method, path, accept, kind) in cases {
        let request = browser.request(method, path).header("accept", accept);
        let answer = browser.send(path, request).await;
        is_told_to_come_back(&answer, kind);
        assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
    }
    let text = lab.app.metrics.text(&lab.app);
    assert!(
        text.contains("lanyard_turned_away_total{face=\"issuer\",reason=\"requests\"} 4"),
        "{text}"
    );
}

/// An answer that does not come is given up for the client, and goes on for itself; its seat is
/// taken as long as it does.
#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up_for_the_client_alone() {
    let lab = Lab::with(|config| {
        config.limits.answer_time = Duration::milliseconds(200);
        config.limits.requests = 1;
    })
    .await;
    let (go, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (waits, tells) = (Arc::clone(&go), Arc::clone(&done));
    let slow = Router::new().route(
        "/",
        get(async move || {
            waits.notified().await;
            tells.notify_one();
        }),
    );
    let at = beside(&lab.app, slow).await;
    let ask = async || {
        let mut stream = connect(at, Ipv4Addr::LOCALHOST).await;
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        until_closed(&mut stream).await
    };
    let said = ask().await;
    assert!(
        said.starts_with("HTTP/1.1 503 ") && said.contains("retry-after: 1"),
        "{said}"
    );
    go.notify_one();
    done.notified().await;
}

/// DOS-05: with every connection of the pool stuck, each request is told within its bound to come
/// back, in its own form; what needs no database is answered; and when the lock is gone all is
/// well.
#[tokio::test]
async fn a_full_pool_is_503_and_hangs_nobody() {
    let lab = Lab::apart(|config| config.database.connections = 4).await;
    let mut boss = lab.database.superuser().await;
    tell(
        &mut boss,
        "begin; lock table identity.client, identity.interaction in access exclusive mode",
    )
    .await;
    let browser = lab.browser();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "an-app"),
    ];
    let mut crowd = JoinSet::new();
    for n in 0..40 {
        let browser = browser.clone();
        crowd.spawn(async move {
            if n % 2 == 0 {
                let request = browser.request(Method::POST, "/token").form(&form);
                ("application/json", browser.send("/token", request).await)
            } else {
                ("text/html", browser.get("/account").await)
            }
        });
    }
    let mut told = 0;
    // More than the pool holds come back although nothing of it is free.
    while told < 30 {
        let (kind, answer) = crowd.join_next().await.unwrap().unwrap();
        is_told_to_come_back(&answer, kind);
        told += 1;
        assert_eq!(browser.get("/jwks").await.status, 200);
    }
    tell(&mut boss, "rollback").await;
    while crowd.join_next().await.is_some() {}
    let request = browser.request(Method::POST, "/token").form(&form);
    assert_eq!(browser.send("/token", request).await.status, 401);
}
