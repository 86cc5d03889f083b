//! Requests larger than any of ours.

use http::Method;

use crate::lab::Lab;

/// DOS-02, RLS-33: a body beyond 64 KiB ends before anything of it is read, on every route; many
/// fields and deep JSON are refused; and the server goes on.
#[tokio::test]
async fn what_is_larger_than_any_request_of_ours_is_refused() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    let large = "a".repeat(200 * 1024);
    for path in [
        "/token",
        "/authorize",
        "/sign-in",
        "/userinfo",
        "/activity",
        "/api/v1/visits",
    ] {
        let request = browser
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("grant_type={large}"));
        assert_eq!(browser.send(path, request).await.status, 413, "{path}");
    }
    let fields: Vec<_> = (0..1000).map(|n| (format!("f{n}"), "x")).collect();
    let many = browser.request(Method::POST, "/token").form(&fields);
    assert_eq!(browser.send("/token", many).await.status, 400);
    let deep = browser
        .request(Method::POST, "/activity")
        .header("content-type", "application/json")
        .body("[".repeat(10_000));
    assert!(
        browser
            .send("/activity", deep)
            .await
            .status
            .is_client_error()
    );
    assert_eq!(browser.get("/jwks").await.status, 200);
}

/// DOS-02: a header beyond what the server reads.
#[tokio::test]
async fn a_header_of_a_megabyte_ends_its_connection_and_no_other() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let lab = Lab::new().await;
    let mut line = tokio::net::TcpStream::connect(lab.address).await.unwrap();
    let host = format!("localhost:{}", lab.address.port());
    let request = format!(
        "GET /jwks HTTP/1.1\r\nhost: {host}\r\nx: {}",
        "a".repeat(1 << 20)
    );
    // The server may close before it has taken all.
    let _ = line.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = line.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    assert_eq!(lab.browser().get("/jwks").await.status, 200);
}
