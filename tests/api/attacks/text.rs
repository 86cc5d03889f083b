//! Hostile text in every input that takes some.

use http::Method;
use url::form_urlencoded::byte_serialize;

use crate::lab::world::Event;
use crate::lab::{Answer, Lab};

/// Quotes, comments, wildcards, escapes, NUL, and bytes that are no UTF-8.
const CORPUS: [&[u8]; 16] = [
    b"'",
    b"''; drop table identity.account; --",
    b"' or '1'='1",
    b"\\",
    b"\\'; select pg_sleep(9); --",
    b"$$",
    b"$1",
    b"%_%",
    b"/* */;--",
    b"a\0b",
    b"\xff\xfe",
    b"\xc0\xaf",
    b"{\"$gt\": \"\"}",
    b"1); select set_config('lanyard.context', 'x', true)",
    b"\xe2\x80\xaeevil",
    b"\r\nset-cookie: x=y",
];

#[track_caller]
fn is_calm(answer: &Answer, input: &str) {
    assert!(
        !answer.status.is_server_error(),
        "{input}: {}",
        answer.status
    );
    assert!(!answer.header("set-cookie").contains("x=y"), "{input}");
    let body = answer.body.to_lowercase();
    for word in [
        "sqlstate",
        "syntax error",
        "postgres",
        "relation \"",
        "identity.account; --<",
    ] {
        assert!(!body.contains(word), "{input}: {word}");
    }
}

/// RLS-31, HTTP-02: in every query, form, header and path that takes text: refused or no match,
/// never an error of ours, never a header or a statement of the text's own.
#[tokio::test]
async fn hostile_text_matches_nothing_and_breaks_nothing() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    let pages: [(&str, &[&str]); 6] = [
        (
            "/authorize",
            &[
                "client_id",
                "redirect_uri",
                "scope",
                "state",
                "nonce",
                "prompt",
                "login_hint",
                "organization",
                "resource",
                "acr_values",
                "max_age",
                "id_token_hint",
                "ui_locales",
            ],
        ),
        ("/sign-in", &["flow"]),
        ("/sign-in/password", &["flow"]),
        ("/authorize/resume", &["flow"]),
        (
            "/logout",
            &[
                "id_token_hint",
                "post_logout_redirect_uri",
                "state",
                "client_id",
            ],
        ),
        ("/api/v1/visits", &["as"]),
    ];
    let forms: [(&str, &[&str]); 4] = [
        (
            "/token",
            &[
                "grant_type",
                "code",
                "refresh_token",
                "client_id",
                "client_secret",
                "scope",
            ],
        ),
        ("/sign-in", &["login", "flow", "csrf"]),
        ("/sign-in/password", &["password", "flow", "csrf"]),
        ("/logout", &["csrf", "id_token_hint"]),
    ];
    for hostile in CORPUS {
        let value: String = byte_serialize(hostile).collect();
        for (path, names) in pages {
            for name in names {
                let input = format!("{path}?{name}={value}");
                is_calm(&browser.get(&input).await, &input);
            }
        }
        for (path, names) in forms {
            for name in names {
                let request = browser
                    .request(Method::POST, path)
                    .header("sec-fetch-site", "same-origin")
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(format!("{name}={value}"));
                is_calm(
                    &browser.send(path, request).await,
                    &format!("{path} {name}={value}"),
                );
            }
        }
        for path in ["/assets/", "/api/v1/clinics/"] {
            let input = format!("{path}{value}");
            is_calm(&browser.get(&input).await, &input);
        }
        for name in ["authorization", "cookie", "user-agent", "origin"] {
            let request = browser
                .request(Method::GET, "/account")
                .header(name, hostile);
            // What can't be a header can't be sent.
            if let Ok(answer) = request.send().await {
                assert!(!answer.status().is_server_error(), "{name}: {value}");
            }
        }
    }
    assert_eq!(browser.get("/jwks").await.status, 200);
}

/// AUD-06: what a stranger types or calls a browser stands in no event.
#[tokio::test]
async fn no_event_holds_what_a_stranger_wrote() {
    let lab = Lab::new().await;
    let victim = lab.person("Ada Quill").await;
    let forged = r#""},{"event":"session.signed_in","by":"<b>mallory</b>"#;
    let browser = lab.browser().calling_itself(forged);
    browser.sign_in(&victim.login, forged).await;
    browser
        .sign_in(&format!("{forged}@example.test"), forged)
        .await;
    browser
        .sign_in(&victim.login, crate::lab::world::PASSWORD)
        .await;
    let events: Vec<Event> = lab.events_of(&victim).await;
    assert!(!events.is_empty());
    let platform = lab.events_in(lanyard::ids::TenantId::PLATFORM).await;
    for event in events.iter().chain(&platform) {
        let text = event.detail.to_string();
        assert!(!text.contains("mallory"), "{} {text}", event.kind);
        assert!(text.len() <= 8192);
    }
}
