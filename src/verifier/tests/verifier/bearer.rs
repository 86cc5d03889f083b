//! Where the token may be, and how a request is refused: RFC 6750, RFC 9728.

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use lanyard_verifier::Verified;
use tower::ServiceExt;

use crate::forged::Published;
use crate::lab::{Lab, NOW, bearing, call, get as get_with};

const METADATA: &str =
    r#"resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1""#;

fn router(lab: &Lab) -> Router {
    Router::new()
        .route(
            "/me",
            get(|caller: Verified| async move { caller.subject().to_string() }),
        )
        .route(
            "/me",
            post(|caller: Verified| async move { caller.subject().to_string() }),
        )
        .layer(lab.verifier.layer())
}

/// RFC 6750 §2.1: the scheme's name is not case-sensitive.
#[tokio::test]
async fn a_good_token_reaches_the_handler() {
    let lab = Lab::new();
    let token = lab.token().mint();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = Request::get("/me").header(AUTHORIZATION, format!("{scheme} {token}"));
        let answer = call(&router(&lab), request).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, "5b1e0000-0000-4000-8000-000000000001");
    }
}

/// RFC 6750 §3.1: who brought nothing is told where to go, and no error.
#[tokio::test]
async fn without_a_token_the_challenge_names_no_error() {
    let lab = Lab::new();
    for request in [
        Request::get("/me"),
        Request::get("/me").header(AUTHORIZATION, "Basic YTpi"),
        Request::get("/me").header(AUTHORIZATION, "DPoP token"),
        Request::get("/nowhere"),
    ] {
        let answer = call(&router(&lab), request).await;
        assert_eq!(answer.refused(StatusCode::UNAUTHORIZED), "token_required");
        assert_eq!(answer.challenge(), format!("Bearer {METADATA}"));
    }
}

/// JWT-23, RFC 9700 §4.3.2: one header, one token.
#[tokio::test]
async fn anything_but_one_token_in_one_header_is_refused() {
    let lab = Lab::new();
    let token = lab.token().mint();
    let bearer = format!("Bearer {token}");
    let two = |second: &str| {
        Request::get("/me")
            .header(AUTHORIZATION, &bearer)
            .header(AUTHORIZATION, second)
    };
    let one = |value: &str| Request::get("/me").header(AUTHORIZATION, value);
    let query = |query: &str| Request::get(format!("/me?{query}access_token={token}"));
    for (name, request) in [
        ("in the query", query("")),
        (
            "in the query and the header",
            bearing(query("a=b&"), &token),
        ),
        ("two headers", two(&bearer)),
        ("two headers, one of another scheme", two("Basic YTpi")),
        ("two in one header", one(&format!("{bearer}, {bearer}"))),
        ("two spaces", one(&format!("Bearer  {token}"))),
        ("a space behind", one(&format!("{bearer} "))),
        ("no token", one("Bearer")),
        (
            "no text",
            Request::get("/me").header(AUTHORIZATION, &b"Bearer \xff"[..]),
        ),
    ] {
        let answer = call(&router(&lab), request).await;
        assert_eq!(
            answer.refused(StatusCode::BAD_REQUEST),
            "invalid_request",
            "{name}"
        );
        assert!(
            answer.challenge().contains("error=\"invalid_request\""),
            "{name}"
        );
        assert!(answer.challenge().ends_with(METADATA), "{name}");
    }
}

/// JWT-23, RFC 9700 §4.3.2.
#[tokio::test]
async fn a_token_anywhere_else_is_not_read() {
    let lab = Lab::new();
    let token = lab.token().mint();
    let form = "application/x-www-form-urlencoded";
    for (name, value) in [
        ("Authorization", format!("Bearer\t{token}")),
        ("Authorization", token.clone()),
        ("Cookie", format!("access_token={token}")),
        ("Proxy-Authorization", format!("Bearer {token}")),
        ("X-Access-Token", token.clone()),
    ] {
        let answer = call(&router(&lab), Request::get("/me").header(name, value)).await;
        assert_eq!(
            answer.refused(StatusCode::UNAUTHORIZED),
            "token_required",
            "{name}"
        );
        assert_eq!(answer.challenge(), format!("Bearer {METADATA}"), "{name}");
    }
    let request = Request::post("/me")
        .header(CONTENT_TYPE, form)
        .body(Body::from(format!("access_token={token}")))
        .expect("a request");
    let answer = router(&lab)
        .oneshot(request)
        .await
        .expect("a router never fails");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "in the body");
}

/// JWT-01 and the others: through the layer every token of the corpus is 401 or 400, with one
/// answer for all that reached verification, and no handler runs.
#[tokio::test]
async fn every_forged_token_is_answered_with_a_challenge() {
    let published = Published::read();
    let handler = |caller: Verified| async move { caller.subject().to_string() };
    let forged: Router = Router::new()
        .route("/", get(handler))
        .layer(published.verifier().layer());
    for (name, token) in published.list("refused") {
        let Ok(value) = http::HeaderValue::from_str(&format!("Bearer {token}")) else {
            continue; // A newline can't be in a header at all.
        };
        let request = Request::get("/").header(AUTHORIZATION, value);
        let answer = call(&forged, request).await;
        if answer.status == StatusCode::BAD_REQUEST {
            assert_eq!(
                answer.refused(StatusCode::BAD_REQUEST),
                "invalid_request",
                "{name}"
            );
            assert!(
                answer.challenge().contains(r#"error="invalid_request""#),
                "{name}"
            );
        } else {
            assert_eq!(
                answer.refused(StatusCode::UNAUTHORIZED),
                "invalid_token",
                "{name}"
            );
            assert!(
                answer.challenge().contains(r#"error="invalid_token""#),
                "{name}"
            );
        }
    }
}

/// RFC 6750 §3: the answer does not tell one bad token from another.
#[tokio::test]
async fn all_bad_tokens_get_the_same_answer() {
    let lab = Lab::new();
    let router = router(&lab);
    let garbage = get_with(&router, "/me", "garbage").await;
    let expired = lab.token().claim("exp", NOW - 10).mint();
    let foreign = lab.token().claim("aud", "https://billing.example").mint();
    for token in [expired, foreign] {
        let answer = get_with(&router, "/me", &token).await;
        assert_eq!(answer.status, garbage.status);
        assert_eq!(answer.body, garbage.body);
        assert_eq!(answer.challenge(), garbage.challenge());
    }
}

/// JWT-20: never "allow", and no word that the token was bad.
#[tokio::test]
async fn without_keys_the_answer_is_503() {
    let lab = Lab::new();
    lab.issuer.set_down(true);
    let answer = get_with(&router(&lab), "/me", &lab.token().mint()).await;
    assert_eq!(
        answer.refused(StatusCode::SERVICE_UNAVAILABLE),
        "temporarily_unavailable"
    );
    assert_eq!(answer.headers[RETRY_AFTER], "5");
    assert_eq!(answer.challenge(), "");
}

/// JWT-27, TEN-02: what a proxy of other make would believe is not even there to be read.
#[tokio::test]
async fn identity_headers_do_not_reach_the_handler() {
    let lab = Lab::new();
    let echo = |headers: HeaderMap| async move { format!("{headers:?}") };
    let router = Router::new()
        .route("/", get(echo))
        .layer(lab.verifier.layer());
    let names = [
        "X-User",
        "X-User-Id",
        "X-Roles",
        "X-Tenant",
        "X-Tenant-Id",
        "X-Scope-OrgID",
        "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-Remote-User",
    ];
    let token = lab.token().mint();
    let mut request = bearing(Request::get("/"), &token).header("X-Request-Id", "kept");
    for name in names {
        request = request.header(name, "root").header(name, "twice");
    }
    let answer = call(&router, request).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        !answer.body.contains("root") && !answer.body.contains("twice"),
        "{}",
        answer.body
    );
    assert!(answer.body.contains("kept"));
    assert!(
        !answer.body.contains(&token),
        "a token is not for debug lines"
    );
}

/// A handler that asks for the caller without a layer lets nobody in.
#[tokio::test]
async fn a_handler_outside_of_the_layer_answers_401() {
    let lab = Lab::new();
    let bare: Router = Router::new().route("/", get(|_: Verified| async { "in" }));
    let answer = get_with(&bare, "/", &lab.token().mint()).await;
    assert_eq!(answer.refused(StatusCode::UNAUTHORIZED), "token_required");
}
