//! What routes ask for: scope, permission, RFC 9470, impersonation.

use std::time::Duration;

use axum::Router;
use axum::routing::{any, get as get_route};
use http::StatusCode;
use lanyard_verifier::test_issuer::TestToken;
use lanyard_verifier::{Guard, MissingScope, Permissions, Verified};
use serde_json::json;

use crate::lab::{Lab, NOW, get};

fn lab() -> Lab {
    let permissions = Permissions::new()
        .role("nurse", ["visits.visit.read"])
        .role("clinician", ["visits.visit.read", "visits.note.sign"]);
    Lab::with(|builder| builder.permissions(permissions))
}

/// Both ways to put a guard: in the verifying layer, and further in.
fn routers(lab: &Lab, guard: &Guard) -> [Router; 2] {
    let inside = lab.verifier.layer().guard(guard.clone());
    [
        Router::new()
            .route("/", any(|| async { "in" }))
            .layer(inside),
        Router::new()
            .route("/", any(|| async { "in" }))
            .route_layer(guard.clone())
            .layer(lab.verifier.layer()),
    ]
}

async fn refused(lab: &Lab, guard: &Guard, token: TestToken) -> (StatusCode, String, String) {
    let token = token.mint();
    let [inside, further_in] = routers(lab, guard);
    let one = get(&inside, "/", &token).await;
    let other = get(&further_in, "/", &token).await;
    assert_eq!((one.status, &one.body), (other.status, &other.body));
    assert_eq!(one.challenge(), other.challenge());
    (
        one.status,
        one.refused(one.status),
        one.challenge().to_owned(),
    )
}

async fn let_in(lab: &Lab, guard: &Guard, token: TestToken) {
    let token = token.mint();
    for router in routers(lab, guard) {
        assert_eq!(get(&router, "/", &token).await.status, StatusCode::OK);
    }
}

/// RFC 6750 §3.1.
#[tokio::test]
async fn a_missing_scope_is_named() {
    let lab = lab();
    let guard = Guard::scope("visits:read").and(Guard::scope("visits:write"));
    let_in(
        &lab,
        &guard,
        lab.token().scope("visits:write openid visits:read"),
    )
    .await;
    let (status, code, challenge) =
        refused(&lab, &guard, lab.token().scope("visits:read visits:writer")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(code, "insufficient_scope");
    assert!(challenge.starts_with(r#"Bearer error="insufficient_scope""#));
    assert!(challenge.contains(r#"scope="visits:write""#));
}

/// A handler may ask for itself, and return the refusal as it is.
#[tokio::test]
async fn a_handler_may_ask_for_a_scope() {
    let lab = lab();
    let handler = |caller: Verified| async move {
        caller.require_scope("visits:read")?;
        Ok::<_, MissingScope>("in")
    };
    let router = Router::new()
        .route("/", get_route(handler))
        .layer(lab.verifier.layer());
    let strong = lab.token().scope("visits:read").mint();
    assert_eq!(get(&router, "/", &strong).await.status, StatusCode::OK);
    let answer = get(&router, "/", &lab.token().mint()).await;
    assert_eq!(answer.refused(StatusCode::FORBIDDEN), "insufficient_scope");
    assert!(answer.challenge().contains(r#"scope="visits:read""#));
}

/// Scopes are the client's right, permissions the person's: each is asked for itself.
#[tokio::test]
async fn a_permission_comes_from_a_role_and_from_nothing_else() {
    let lab = lab();
    let guard = Guard::permission("visits.note.sign");
    let_in(&lab, &guard, lab.token().roles(["nurse", "clinician"])).await;
    for token in [
        lab.token().roles(["nurse"]),
        lab.token().roles(["Clinician"]),
        lab.token().roles(["unknown"]),
        lab.token().roles([""; 0]),
        lab.token().scope("visits.note.sign"),
        lab.token().roles(["visits.note.sign"]),
    ] {
        let (status, code, challenge) = refused(&lab, &guard, token).await;
        assert_eq!(
            (status, code.as_str()),
            (StatusCode::FORBIDDEN, "insufficient_permission")
        );
        assert!(challenge.contains(r#"error="insufficient_scope""#));
    }
}

#[tokio::test]
async fn joined_permissions_are_all_asked() {
    let lab = lab();
    let [read, sign] = ["visits.visit.read", "visits.note.sign"].map(Guard::permission);
    for both in [read.clone().and(sign.clone()), sign.and(read)] {
        let_in(&lab, &both, lab.token().roles(["clinician"])).await;
        refused(&lab, &both, lab.token().roles(["nurse"])).await;
    }
}

#[test]
fn of_several_roles_those_that_grant_a_key_are_told() {
    let lab = lab();
    let roles = ["nurse", "clinician", "patient"].map(str::to_owned);
    let permissions = lab.verifier.permissions();
    let granting: Vec<&str> = permissions.granting(&roles, "visits.note.sign").collect();
    assert_eq!(granting, ["clinician"]);
    assert!(!permissions.allow(&roles, "billing.charge.read"));
}

/// RFC 9470 §3: one second before, at and after.
#[tokio::test]
async fn a_sign_in_too_long_ago_is_challenged() {
    let lab = lab();
    let guard = Guard::max_age(Duration::from_mins(5)).and(Guard::max_age(Duration::from_hours(1)));
    let signed_in = |ago: i64| lab.token().claim("auth_time", NOW - ago);
    for ago in [0, 299, 300] {
        let_in(&lab, &guard, signed_in(ago)).await;
    }
    let (status, code, challenge) = refused(&lab, &guard, signed_in(301)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(code, "insufficient_user_authentication");
    assert!(challenge.starts_with(r#"Bearer error="insufficient_user_authentication""#));
    assert!(
        challenge.contains(r#"max_age="300""#),
        "the shorter of the two"
    );
    assert!(!challenge.contains("acr_values"));
}

/// RFC 9470 §3.
#[tokio::test]
async fn a_weak_sign_in_is_challenged() {
    let lab = lab();
    let guard = Guard::acr(["urn:example:mfa", "urn:example:phr"]);
    let_in(&lab, &guard, lab.token().claim("acr", "urn:example:phr")).await;
    let (status, code, challenge) = refused(&lab, &guard, lab.token()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(code, "insufficient_user_authentication");
    assert!(challenge.contains(r#"acr_values="urn:example:mfa urn:example:phr""#));
}

/// Two rules about `acr` leave what both accept; if that is nothing, nobody passes.
#[tokio::test]
async fn acr_rules_that_exclude_each_other_let_nobody_in() {
    let lab = lab();
    let guard = Guard::acr(["a", "b"]).and(Guard::acr(["b", "c"]));
    let_in(&lab, &guard, lab.token().claim("acr", "b")).await;
    refused(&lab, &guard, lab.token().claim("acr", "a")).await;
    let nobody = Guard::acr(["a"]).and(Guard::acr(["c"]));
    refused(&lab, &nobody, lab.token().claim("acr", "a")).await;
}

/// A client that acts for itself has no sign-in that could be fresh or strong.
#[tokio::test]
async fn a_client_alone_never_passes_a_step_up() {
    let lab = lab();
    for guard in [
        Guard::max_age(Duration::from_hours(1)),
        Guard::acr(["urn:lanyard:acr:pwd"]),
    ] {
        let (_, code, _) = refused(&lab, &guard, lab.token().without_sign_in()).await;
        assert_eq!(code, "insufficient_user_authentication");
    }
}

/// A guard that was put outside of the layer, or without one, refuses everyone.
#[tokio::test]
async fn a_guard_outside_of_the_layer_refuses() {
    let lab = lab();
    let wrong_order: Router = Router::new()
        .route("/", get_route(|| async { "in" }))
        .layer(lab.verifier.layer())
        .layer(Guard::scope("visits:read"));
    let token = lab.token().scope("visits:read").mint();
    let answer = get(&wrong_order, "/", &token).await;
    assert_eq!(answer.refused(StatusCode::UNAUTHORIZED), "token_required");
}

/// A role in the token that is no text does not get as far as a guard.
#[tokio::test]
async fn roles_must_be_a_list_of_texts() {
    let lab = lab();
    let [router, _] = routers(&lab, &Guard::permission("visits.visit.read"));
    let token = lab.token().claim("roles", json!({ "nurse": true })).mint();
    assert_eq!(
        get(&router, "/", &token)
            .await
            .refused(StatusCode::UNAUTHORIZED),
        "invalid_token"
    );
}
