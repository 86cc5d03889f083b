//! What an error says, and what it does not.

use http::Method;

use crate::lab::Lab;

/// HTTP-10: pages, the token endpoint and the API: the standard's form, a request id, and nothing
/// of the inside.
#[tokio::test]
async fn an_error_says_what_the_standard_says_and_nothing_of_the_inside() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    let cases = [
        (Method::GET, "/authorize", 400, "text/html"),
        (Method::GET, "/sign-in?flow=x", 400, "text/html"),
        (Method::POST, "/account/password", 400, ""),
        (Method::GET, "/nothing", 404, ""),
        (Method::GET, "/token", 405, ""),
        (Method::POST, "/token", 415, ""),
        (
            Method::GET,
            "/api/v1/visits",
            401,
            "application/problem+json",
        ),
        (Method::GET, "/userinfo", 401, ""),
        (Method::POST, "/activity", 401, "application/json"),
    ];
    for (method, path, status, kind) in cases {
        let request = browser.request(method.clone(), path);
        let answer = browser.send(path, request).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.header("content-type").starts_with(kind), "{path}");
        assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
        assert_eq!(answer.header("server"), "", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        for inside in [
            "select ",
            "sqlx",
            "panicked",
            ".rs:",
            "postgres",
            env!("CARGO_PKG_VERSION"),
        ] {
            assert!(!answer.body.contains(inside), "{path}: {inside}");
        }
    }
}

/// CFG-08: what nobody made, nobody gets in with.
#[tokio::test]
async fn a_fresh_database_has_no_account_to_guess() {
    let lab = Lab::apart(|_| ()).await;
    let accounts: i64 = sqlx::query_scalar("select count(*) from identity.account")
        .fetch_one(&mut lab.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(accounts, 0);
    for login in ["admin", "root", "lanyard", "admin@example.com"] {
        for password in ["admin", "password", "lanyard", ""] {
            let browser = lab.browser();
            browser.sign_in(login, password).await;
            assert!(
                browser.cookie("__Host-lanyard_session").is_none(),
                "{login}"
            );
        }
    }
}
