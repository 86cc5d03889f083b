//! Where one request ends and the next begins.

use super::{exchange, host};
use crate::lab::Lab;

/// HTTP-01, RFC 9112 §6: whatever two readers could cut in two ways is 400, the connection is
/// closed, and what follows is never read as a second request.
#[tokio::test]
async fn what_two_readers_could_cut_differently_is_refused_and_closed() {
    let lab = Lab::new().await;
    let host = host(&lab);
    let smuggled = format!("GET /livez-smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let length = smuggled.len();
    let heads = [
        (
            "CL.TE",
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
        ),
        (
            "TE.CL",
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
        ),
        ("TE alone", "Transfer-Encoding: chunked\r\n".to_owned()),
        (
            "TE.TE",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n".to_owned(),
        ),
        ("TE hidden", "Transfer-Encoding: xchunked\r\n".to_owned()),
        (
            "TE twice",
            "Transfer-Encoding: chunked, chunked\r\n".to_owned(),
        ),
        (
            "TE and a space",
            "Transfer-Encoding : chunked\r\n".to_owned(),
        ),
        (
            "two lengths",
            "Content-Length: 0\r\nContent-Length: 5\r\n".to_owned(),
        ),
        (
            "a length twice",
            "Content-Length: 5\r\nContent-Length: 5\r\n".to_owned(),
        ),
        ("a list", "Content-Length: 5, 5\r\n".to_owned()),
        ("a sign", "Content-Length: +5\r\n".to_owned()),
        ("hexadecimal", "Content-Length: 0x5\r\n".to_owned()),
        ("no number", "Content-Length: five\r\n".to_owned()),
        (
            "too large",
            "Content-Length: 99999999999999999999\r\n".to_owned(),
        ),
        ("a fold", "X: a\r\n Content-Length: 5\r\n".to_owned()),
        ("LF alone", "X: a\nContent-Length: 5\r\n".to_owned()),
        ("CR alone", "X: a\rContent-Length: 5\r\n".to_owned()),
        ("NUL", "X: a\0b\r\n".to_owned()),
    ];
    for (what, head) in heads {
        let head = format!("POST /token HTTP/1.1\r\nHost: {host}\r\n{head}\r\n");
        let said = exchange(&lab, format!("{head}0\r\n\r\n{smuggled}").as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{what}: {said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{what}: {said}");
    }
    let bare = format!("GET /jwks HTTP/1.1\nHost: {host}\n\n");
    let said = exchange(&lab, format!("{bare}{smuggled}").as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
    // A chunk size in any dress comes to the same: no transfer coding is taken.
    for size in ["0x5", "5;a=b", "5 ", "\n5", "-1"] {
        let head =
            format!("POST /token HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n");
        let body = format!("{size}\r\nhello\r\n0\r\n\r\n");
        let said = exchange(&lab, format!("{head}\r\n{body}{smuggled}").as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{size}: {said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{size}: {said}");
    }
}

/// HTTP-01: a body with a GET has its length and is no request; `Upgrade: h2c` is not taken up;
/// HTTP/2's preface is no request of ours.
#[tokio::test]
async fn a_body_is_a_body_and_one_protocol_stays_one() {
    let lab = Lab::new().await;
    let host = host(&lab);
    let inner = format!("GET /inner HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let with_body = format!(
        "GET /jwks HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{inner}\
         GET /jwks HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        inner.len()
    );
    let said = exchange(&lab, with_body.as_bytes()).await;
    let answers = said.matches("HTTP/1.1 200 OK").count();
    // The second is answered, or the connection was closed after the first: never the inner one.
    assert!(answers >= 1 && !said.contains(" 404 "), "{said}");
    let upgrade = format!(
        "GET /jwks HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    );
    let said = exchange(&lab, upgrade.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
    let said = exchange(&lab, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!said.contains(" 200 "), "{said}");
}

/// RFC 9112 §9.3: one connection, one request after the other, each with its answer.
#[tokio::test]
async fn plain_requests_follow_each_other_on_one_connection() {
    let lab = Lab::new().await;
    let host = host(&lab);
    let form = "grant_type=none";
    let post = format!(
        "POST /token HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    let get = format!("GET /jwks HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let last = format!("GET /jwks HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let said = exchange(&lab, format!("{get}{post}{post}{last}").as_bytes()).await;
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 2, "{said}");
    assert_eq!(said.matches("HTTP/1.1 400 ").count(), 2, "{said}");
}
