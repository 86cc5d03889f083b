//! Cross-origin calls.

use http::Method;

use super::{ORIGIN, World};
use crate::lab::Answer;

const OPEN_TO_PAGES: [&str; 5] = [
    "/.well-known/openid-configuration",
    "/jwks",
    "/token",
    "/revoke",
    "/userinfo",
];

async fn preflight(world: &World, path: &str, origin: &str) -> Answer {
    let browser = world.lab.browser();
    let request = browser
        .request(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization");
    browser.send(path, request).await
}

/// WHATWG Fetch §3.2, TOK-15: the pages of a registered origin may call, a stranger's may not, and
/// cookies never travel.
#[tokio::test]
async fn only_the_pages_of_registered_clients_may_call() {
    let world = World::new().await;
    world.spa().await;
    let browser = world.lab.browser();
    for path in OPEN_TO_PAGES {
        let known = preflight(&world, path, ORIGIN).await;
        assert_eq!(
            known.header("access-control-allow-origin"),
            ORIGIN,
            "{path}"
        );
        assert!(
            known
                .header("access-control-allow-headers")
                .contains("Authorization")
        );
        assert_eq!(known.header("access-control-allow-credentials"), "");
        for stranger in [
            "https://evil.test",
            "null",
            "https://app.example.test.evil.test",
        ] {
            let answer = preflight(&world, path, stranger).await;
            assert_eq!(
                answer.header("access-control-allow-origin"),
                "",
                "{path} {stranger}"
            );
        }
        let called = browser.request(Method::GET, path).header("origin", ORIGIN);
        let called = browser.send(path, called).await;
        assert_eq!(
            called.header("access-control-allow-origin"),
            ORIGIN,
            "{path}"
        );
        assert!(
            called
                .header("vary")
                .to_ascii_lowercase()
                .contains("origin")
        );
    }
    for path in [
        "/authorize",
        "/sign-in",
        "/logout",
        "/account",
        "/api/v1/me",
    ] {
        let answer = preflight(&world, path, ORIGIN).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}
