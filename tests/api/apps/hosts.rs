//! Which hosts an app answers for, and what its answers carry.

use lanyard::apps::Kind;
use reqwest::{Method, StatusCode};

use super::{AppsLab, Everywhere as _};

/// TEN-01: nobody else's host is answered, a loopback address is sent to the name.
#[tokio::test]
async fn an_app_answers_for_its_own_hosts_alone() {
    let lab = AppsLab::new().await;
    let browser = lab.lab.browser();
    let port = lab.port(Kind::Patient);
    let to = lab.at_bare(Kind::Patient, "/signed-out?reason=idle");
    let naming = async |host: &str| {
        let request = browser.request_naming(host, Method::GET, &to);
        browser.send(&to, request).await
    };
    for strange in [
        "evil.example",
        &format!("nobody.localhost:{port}"),
        "localhost:1",
    ] {
        assert_eq!(
            naming(strange).await.status,
            StatusCode::MISDIRECTED_REQUEST,
            "{strange}"
        );
    }
    for loopback in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let sent = naming(&loopback).await;
        assert_eq!(sent.status, StatusCode::TEMPORARY_REDIRECT, "{loopback}");
        assert_eq!(sent.header("location"), to);
    }
    assert_eq!(
        naming(&format!("localhost:{port}")).await.status,
        StatusCode::OK
    );
}

/// WEB-05, WEB-10: pages load nothing from elsewhere, are framed by nobody and kept by nobody;
/// cookies are locked to the host, and each app has its own name for them.
#[tokio::test]
async fn every_page_is_guarded_by_its_headers_and_every_cookie_by_its_attributes() {
    let lab = AppsLab::new().await;
    let browser = lab.lab.browser();
    let asked = browser.everywhere(&lab.at(Kind::Patient, "/sign-in")).await;
    let sent = browser
        .sign_in_at(asked, &lab.ruth.login, crate::lab::world::PASSWORD)
        .await;
    let mut answer = lab.lab.prove_factor(&browser, sent).await;
    let name = "__Host-lanyard_patient";
    while answer.cookie_line(name).is_none() {
        let to = answer.location().expect("the callback comes");
        answer = browser.get(to.as_str()).await;
    }
    let line = answer.cookie_line(name).unwrap();
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(line.contains(attribute), "{line}");
    }
    assert!(!line.contains("Domain"), "{line}");

    let home = browser
        .everywhere(&lab.at(Kind::Patient, "/"))
        .await
        .page("Your visits");
    let policy = home.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(
        policy.contains(&format!("form-action 'self' {}", lab.lab.issuer())),
        "{policy}"
    );
    assert_eq!(home.header("cache-control"), "no-store");
    assert_eq!(home.header("x-frame-options"), "DENY");
    let token = token_in(&home.body);
    assert_eq!(token, None, "no token reaches a browser");
    // What it would be found by.
    for shown in ["eyJhbGciOiJub25lIn0.e30.c2ln", "lrt_canary-73"] {
        assert_eq!(token_in(&format!("value=\"{shown}\">")), Some(shown));
    }
}

/// A compact JWS, or a refresh token of ours: a whole word. Their first letters alone say nothing:
/// form tokens are random, and `eyJ` stands somewhere in one of six thousand.
fn token_in(page: &str) -> Option<&str> {
    let stands_in_one = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_one = |word: &&str| {
        let is_jws = word.starts_with("eyJ") && word.matches('.').count() >= 2;
        is_jws || word.starts_with("lrt_")
    };
    page.split(|c| !stands_in_one(c)).find(is_one)
}
