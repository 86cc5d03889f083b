//! Clients that take their time.

use std::net::Ipv4Addr;
use std::time::Duration as Real;

use axum::Router;
use axum::routing::get;
use time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{beside, connect, host, until_closed};
use crate::lab::Lab;

async fn impatient() -> Lab {
    Lab::with(|config| {
        let short = Duration::milliseconds(300);
        config.limits.head_time = short;
        config.limits.body_time = short;
        config.limits.write_time = short;
        config.limits.idle_time = Duration::seconds(30);
    })
    .await
}

/// Sends one byte now and then until the server hangs up: it ends, or the test hangs.
async fn drip(stream: &mut TcpStream) {
    let pause = Real::from_millis(50);
    let mut byte = [0];
    loop {
        match tokio::time::timeout(pause, stream.read(&mut byte)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(_)) => {}
            Err(_) => {
                if stream.write_all(b"x").await.is_err() {
                    return;
                }
            }
        }
    }
}

/// DOS-03: in the head, in the body, and before anything is said, one byte now and then keeps
/// nobody in; and all the while others are served.
#[tokio::test]
async fn a_client_that_drips_is_hung_up_on_and_others_are_served() {
    let lab = impatient().await;
    let host = host(&lab);
    let head = format!("GET /jwks HTTP/1.1\r\nHost: {host}\r\nX: ");
    let body = format!(
        "POST /token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 60000\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\na="
    );
    let expecting = format!(
        "POST /token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    );
    let mut slow = tokio::task::JoinSet::new();
    for n in 0..60_u8 {
        let begins = [head.clone(), body.clone()][usize::from(n % 2)].clone();
        let at = lab.address;
        slow.spawn(async move {
            let mut stream = connect(at, Ipv4Addr::new(127, 9, n, 1)).await;
            stream.write_all(begins.as_bytes()).await.unwrap();
            drip(&mut stream).await;
        });
    }
    let browser = lab.browser();
    for _ in 0..20 {
        assert_eq!(browser.get("/jwks").await.status, 200);
    }
    slow.join_all().await;
    // Whoever says nothing, and whoever promises a body and sends none.
    for begins in [String::new(), expecting] {
        let mut stream = connect(lab.address, Ipv4Addr::LOCALHOST).await;
        stream.write_all(begins.as_bytes()).await.unwrap();
        until_closed(&mut stream).await;
    }
    assert_eq!(browser.get("/jwks").await.status, 200);
}

/// DOS-03: a client that reads nothing of a long answer loses it, and its memory with it.
#[tokio::test]
async fn a_client_that_does_not_read_is_hung_up_on() {
    let lab = impatient().await;
    let long = Router::new().route("/", get(async || "a".repeat(64 << 20)));
    let at = beside(&lab.app, long).await;
    let mut stream = connect(at, Ipv4Addr::LOCALHOST).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    // A byte now and then: what the system buffers is not taken any faster.
    let mut byte = [0];
    let open = || lab.app.metrics.text(&lab.app);
    let mut taken = 0;
    while taken < 20 || open().contains("lanyard_connections{face=\"issuer\"} 1") {
        let _ = tokio::time::timeout(Real::from_millis(20), stream.read(&mut byte)).await;
        tokio::time::sleep(Real::from_millis(20)).await;
        taken += 1;
    }
    let rest = until_closed(&mut stream).await;
    assert!(rest.len() < 64 << 20, "it had all {} bytes", rest.len());
}

/// A kept connection may rest longer than a head may take.
#[tokio::test]
async fn a_connection_may_rest_between_requests() {
    let lab = impatient().await;
    let mut stream = connect(lab.address, Ipv4Addr::LOCALHOST).await;
    let request = format!("GET /nothing HTTP/1.1\r\nHost: {}\r\n\r\n", host(&lab));
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 404");
        let mut rest = [0; 4096];
        let _ = stream.read(&mut rest).await.unwrap();
        // Longer than `head_time`: it is what is waited for that is under test.
        tokio::time::sleep(Real::from_millis(600)).await;
    }
}
