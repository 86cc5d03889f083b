//! An API behind the layer.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use lanyard_verifier::test_issuer::TestIssuer;
use lanyard_verifier::{Guard, Verified, Verifier};
use tower::ServiceExt;

const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "https://api.example";

fn router(issuer: &TestIssuer) -> Router {
    let verifier = Verifier::builder(ISSUER, AUDIENCE)
        .keys(issuer.keys())
        .build()
        .expect("all is given");
    Router::new()
        .route(
            "/visits",
            get(|caller: Verified| async move { caller.subject().to_string() }),
        )
        .route_layer(Guard::scope("visits:read"))
        .layer(verifier.layer())
}

async fn call(router: &Router, token: &str) -> (StatusCode, String) {
    let request = Request::get("/visits").header(AUTHORIZATION, format!("Bearer {token}"));
    let response = router
        .clone()
        .oneshot(request.body(Body::empty()).expect("a request"))
        .await
        .expect("a router never fails");
    let challenge = response.headers().get(WWW_AUTHENTICATE);
    let challenge = challenge.map_or("", |value| value.to_str().expect("text"));
    (response.status(), challenge.to_owned())
}

#[tokio::test]
async fn a_route_asks_for_its_scope() {
    let issuer = TestIssuer::new(ISSUER);
    let router = router(&issuer);
    let good = issuer.token(AUDIENCE).scope("visits:read").mint();
    assert_eq!(call(&router, &good).await.0, StatusCode::OK);
    let weak = issuer.token(AUDIENCE).scope("visits:write").mint();
    let (status, challenge) = call(&router, &weak).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(challenge.contains("error=\"insufficient_scope\""));
    assert!(challenge.contains("scope=\"visits:read\""));
}
