use reqwest::Method;
use reqwest::header::HOST;

use crate::lab::{Answer, Lab};

#[track_caller]
fn is_protected(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'"),
        "{}: {policy}",
        answer.url
    );
    assert!(
        policy.contains("frame-ancestors 'none'"),
        "{}: {policy}",
        answer.url
    );
    assert!(!policy.contains("unsafe"), "{}: {policy}", answer.url);
    let expected = [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        (
            "strict-transport-security",
            "max-age=63072000; includeSubDomains",
        ),
        ("server", ""),
    ];
    for (name, value) in expected {
        assert_eq!(answer.header(name), value, "{}: {name}", answer.url);
    }
    assert_eq!(answer.header("x-request-id").len(), 16, "{}", answer.url);
}

/// WEB-05, WEB-15: pages, errors, redirects and files alike.
#[tokio::test]
async fn every_answer_carries_the_protecting_headers() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    for path in [
        "/.well-known/openid-configuration",
        "/jwks",
        "/nothing-here",
        "/assets/none",
    ] {
        is_protected(&browser.get(path).await);
    }
}

/// LOGIN-14, TEN-01: a host that is not ours gets nothing, whatever a proxy header says.
#[tokio::test]
async fn only_the_issuers_own_host_is_answered() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    for host in [
        "evil.test",
        "localhost",
        "localhost.evil.test",
        "localhost:1",
    ] {
        let request = browser.request_naming(host, Method::GET, "/jwks");
        let answer = browser.send("/jwks", request).await;
        assert_eq!(answer.status, 421, "{host}");
        is_protected(&answer);
    }
    let twice = browser
        .request(Method::GET, "/jwks")
        .header(HOST, "evil.test");
    assert_eq!(browser.send("/jwks", twice).await.status, 400);
    let request = browser
        .request(Method::GET, "/.well-known/openid-configuration")
        .header("x-forwarded-host", "evil.test")
        .header("forwarded", "host=evil.test;proto=http");
    let answer = browser.send("/", request).await;
    assert_eq!(answer.json()["issuer"], lab.issuer());
    assert!(!answer.body.contains("evil.test"));
}

/// Cookies live on the name, so a loopback address is sent there.
#[tokio::test]
async fn a_loopback_address_is_sent_to_the_name() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    for address in ["127.0.0.1", "[::1]"] {
        let host = format!("{address}:{}", lab.address.port());
        let request = browser.request_naming(&host, Method::GET, "/jwks");
        let answer = browser.send("/jwks", request).await;
        assert_eq!(answer.status, 307);
        assert_eq!(answer.header("location"), format!("{}/jwks", lab.issuer()));
    }
}
