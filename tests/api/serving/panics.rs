//! A panic costs one request.

use std::net::Ipv4Addr;

use axum::Router;
use axum::routing::get;
use tokio::io::AsyncWriteExt as _;

use super::{beside, connect, until_closed};
use crate::lab::Lab;

/// DOS-13: the request is answered 500 without a word of what it broke on, at once or after it
/// waited; the next one on the same connection is served, and the panic is counted.
#[tokio::test]
async fn a_panic_costs_one_request() {
    let lab = Lab::new().await;
    let word = "canary-of-a-panic";
    let later = async move || -> &'static str {
        tokio::task::yield_now().await;
        panic!("{word}")
    };
    let router = Router::new()
        .route("/", get(async move || -> &'static str { panic!("{word}") }))
        .route("/later", get(later))
        .route("/next", get(async || "served"));
    let at = beside(&lab.app, router).await;
    let mut stream = connect(at, Ipv4Addr::LOCALHOST).await;
    let first = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let later = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    let next = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream
        .write_all(format!("{first}{first}{later}{next}").as_bytes())
        .await
        .unwrap();
    let said = until_closed(&mut stream).await;
    assert_eq!(said.matches("HTTP/1.1 500 ").count(), 3, "{said}");
    assert!(said.ends_with("served") && !said.contains(word), "{said}");
    let text = lab.app.metrics.text(&lab.app);
    assert!(
        text.contains("lanyard_panics_total{face=\"issuer\"} 3"),
        "{text}"
    );
    assert!(!text.contains(word));
    // Under the issuer's own layers it is the same, with their headers.
    assert_eq!(lab.browser().get("/jwks").await.status, 200);
}
