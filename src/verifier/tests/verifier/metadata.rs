//! What the API says about itself: RFC 9728.

use axum::Router;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Request, StatusCode};
use lanyard_verifier::{PROTECTED_RESOURCE_METADATA_PATH, Verifier};
use serde_json::{Value, json};

use crate::lab::{ISSUER, Lab, call};

fn published(verifier: &Verifier) -> Router {
    Router::new().route_service(verifier.metadata_path(), verifier.metadata_service())
}

/// RFC 9728 §2, §3.1.
#[tokio::test]
async fn the_metadata_name_the_issuer_and_the_scopes() {
    let lab = Lab::with(|builder| {
        builder
            .resource_name("Visits")
            .scopes_supported(["visits:read", "visits:write"])
    });
    let path = "/.well-known/oauth-protected-resource/v1";
    assert_eq!(lab.verifier.metadata_path(), path);
    let router = published(&lab.verifier);
    let answer = call(&router, Request::get(path)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers[CONTENT_TYPE], "application/json");
    let document: Value = serde_json::from_str(&answer.body).expect("JSON");
    let expected = json!({
        "resource": "https://api.example/v1",
        "authorization_servers": [ISSUER],
        "scopes_supported": ["visits:read", "visits:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Visits",
    });
    assert_eq!(document, expected);
    let answer = call(&router, Request::post(path)).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers[ALLOW], "GET, HEAD");
}

/// RFC 9728 §3.1: where the path goes.
#[test]
fn the_well_known_part_goes_between_host_and_path() {
    let lab = Lab::new();
    for (resource, path) in [
        ("https://api.example", PROTECTED_RESOURCE_METADATA_PATH),
        ("https://api.example/", PROTECTED_RESOURCE_METADATA_PATH),
        (
            "https://api.example:8443/a/b",
            "/.well-known/oauth-protected-resource/a/b",
        ),
    ] {
        let verifier = Verifier::builder(ISSUER, "visits")
            .keys(lab.issuer.keys())
            .resource(resource)
            .build()
            .expect("all is given");
        assert_eq!(verifier.metadata_path(), path);
        let metadata = verifier
            .protected_resource_metadata()
            .expect("it has a URL");
        assert_eq!(metadata.resource, resource);
    }
}

/// An API whose audience is a plain name has no URL to publish, and says nothing false.
#[tokio::test]
async fn without_a_url_there_is_no_metadata() {
    let lab = Lab::new();
    let verifier = Verifier::builder(ISSUER, "visits")
        .keys(lab.issuer.keys())
        .build()
        .expect("all is given");
    assert_eq!(verifier.protected_resource_metadata(), None);
    let answer = call(
        &published(&verifier),
        Request::get(verifier.metadata_path()),
    )
    .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let router: Router = Router::new().layer(verifier.layer());
    assert_eq!(call(&router, Request::get("/")).await.challenge(), "Bearer");
}
