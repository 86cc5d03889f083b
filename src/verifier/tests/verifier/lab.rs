//! An issuer, a clock and a verifier; and how a test calls an API.

use axum::Router;
use axum::body::Body;
use http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::request::Builder;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use lanyard_verifier::test_issuer::{TestIssuer, TestToken};
use lanyard_verifier::{TenantId, Verifier};
use tower::ServiceExt;
use uuid::Uuid;

use crate::clock::FixedClock;

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const AUDIENCE: &str = "https://api.example/v1";
pub(crate) const NOW: i64 = 1_790_000_000;

/// The clinic whose tokens the tests show, named `juniper`.
pub(crate) const JUNIPER: TenantId = TenantId::from_uuid(Uuid::from_u128(0xa));
/// Another clinic, named `borealis`.
pub(crate) const BOREALIS: TenantId = TenantId::from_uuid(Uuid::from_u128(0xb));

pub(crate) struct Lab {
    pub(crate) issuer: TestIssuer,
    pub(crate) clock: FixedClock,
    pub(crate) verifier: Verifier,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(
        more: impl FnOnce(lanyard_verifier::Builder) -> lanyard_verifier::Builder,
    ) -> Self {
        let clock = FixedClock::at(NOW);
        let issuer = TestIssuer::new(ISSUER).clock(clock.clone());
        let builder = Verifier::builder(ISSUER, AUDIENCE)
            .keys(issuer.keys())
            .clock(clock.clone());
        let verifier = more(builder).build().expect("all is given");
        Self {
            issuer,
            clock,
            verifier,
        }
    }

    /// A good token for this API, of a person of juniper.
    pub(crate) fn token(&self) -> TestToken {
        self.issuer.token(AUDIENCE).tenant(JUNIPER)
    }
}

/// Tells the two clinics by name.
pub(crate) fn directory(name: &str) -> Option<TenantId> {
    match name {
        "juniper" => Some(JUNIPER),
        "borealis" => Some(BOREALIS),
        _ => None,
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// `WWW-Authenticate`, empty if there is none.
    pub(crate) fn challenge(&self) -> &str {
        self.headers
            .get(WWW_AUTHENTICATE)
            .map_or("", |value| value.to_str().expect("text"))
    }

    /// The problem's code, after the checks that hold for every refusal.
    pub(crate) fn refused(&self, status: StatusCode) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers[CACHE_CONTROL], "no-store");
        let problem: serde_json::Value = serde_json::from_str(&self.body).expect("a problem");
        assert_eq!(problem["status"], status.as_u16());
        problem["code"].as_str().expect("a code").to_owned()
    }
}

pub(crate) fn bearing(request: Builder, token: &str) -> Builder {
    request.header(AUTHORIZATION, format!("Bearer {token}"))
}

pub(crate) async fn call(router: &Router, request: Builder) -> Answer {
    let request: Request<Body> = request.body(Body::empty()).expect("a request");
    let response = router
        .clone()
        .oneshot(request)
        .await
        .expect("a router never fails");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body in memory").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("text");
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

/// Calls `GET uri` with that token.
pub(crate) async fn get(router: &Router, uri: &str, token: &str) -> Answer {
    call(router, bearing(Request::get(uri), token)).await
}
