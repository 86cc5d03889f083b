//! What holds for every answer: a request id, a log line, headers, the host.

use std::fmt;
use std::net::IpAddr;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Method, StatusCode};

use super::line;
use crate::app::App;
use crate::metrics::{Answered, known_method};

/// Names one request in the log, on error pages and in `x-request-id`: 16 hex digits. Knows what
/// every page must say of the process that answers it.
#[derive(Clone, Debug)]
pub struct RequestId {
    digits: String,
    is_of_a_demo: bool,
}

impl RequestId {
    /// Of an answer that has none: the request is still being worked on.
    pub fn unknown() -> Self {
        Self {
            digits: "unknown".to_owned(),
            is_of_a_demo: false,
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.digits
    }

    /// Whether everybody and everything here is made up.
    pub const fn is_of_a_demo(&self) -> bool {
        self.is_of_a_demo
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.digits)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let given = parts.extensions.get::<Self>().cloned();
        Ok(given.unwrap_or_else(Self::unknown))
    }
}

/// Which face a request came to: put beside it by the serving loop.
#[derive(Clone, Copy, Debug)]
pub struct FaceName(pub &'static str);

/// Gives the request its id; counts it and writes one line when it is answered. Never the path or
/// the query: they may hold a code or a name.
pub async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = RequestId {
        digits: format!("{:016x}", u64::from_be_bytes(app.env.random_bytes())),
        is_of_a_demo: app.config.is_demo,
    };
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let face = request.extensions().get::<FaceName>();
    let face = face.map_or("none", |FaceName(name)| *name);
    request.extensions_mut().insert(id.clone());
    let began = std::time::Instant::now();
    let (mut response, facts) = line::gathering(next.run(request)).await;
    let took = began.elapsed();
    let status = response.status().as_u16();
    app.metrics.answered(&Answered {
        face,
        method: method.as_str(),
        route: &route,
        status,
        took,
    });
    tracing::info!(
        request_id = %id,
        face,
        tenant = facts.tenant.map(tracing::field::display),
        actor = facts.actor.map(tracing::field::display),
        client = facts.client.map(tracing::field::display),
        method = known_method(method.as_str()),
        route,
        status,
        duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        error.code = facts.error_code,
        "request"
    );
    let value = id.digits.parse().expect("hex digits are a header value");
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-request-id"), value);
    response
}

/// Headers that every answer carries unless its handler said otherwise (WEB-05, WEB-10, WEB-15).
pub async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let defaults = [
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (REFERRER_POLICY, "no-referrer"),
        (
            STRICT_TRANSPORT_SECURITY,
            "max-age=63072000; includeSubDomains",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in defaults {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Marks the answer of a handler that panicked, for whoever counts.
#[derive(Clone, Copy, Debug)]
pub struct Panicked;

/// What a panic is answered with: it costs this one request. What it says goes nowhere: it may
/// hold what it broke on. Where it was is in the log (`cli::serve`).
pub fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    line::note(|facts| facts.error_code = Some("panic"));
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Panicked);
    response
}

/// Answers only for the issuer's own host (TEN-01, LOGIN-14); a loopback address is sent to the
/// name, where cookies are.
pub async fn own_host(State(app): State<App>, request: Request, next: Next) -> Response {
    let issuer = app.config.issuer.url();
    let Some(host) = sole_host(&request) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let own = match issuer.port() {
        Some(port) => format!("{}:{port}", issuer.host_str().unwrap_or_default()),
        None => issuer.host_str().unwrap_or_default().to_owned(),
    };
    if host.as_str().eq_ignore_ascii_case(&own) {
        return next.run(request).await;
    }
    let bare = host.host().trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if is_loopback && *request.method() == Method::GET {
        let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
        return Redirect::temporary(&format!("{}{path}", app.issuer())).into_response();
    }
    StatusCode::MISDIRECTED_REQUEST.into_response()
}

/// The request's host, if it names exactly one and the request line agrees.
pub fn sole_host(request: &Request) -> Option<Authority> {
    let mut named = request.headers().get_all(HOST).iter();
    let (first, second) = (named.next(), named.next());
    let host: Authority = match (first, second, request.uri().authority()) {
        (Some(host), None, None) => host.to_str().ok()?.parse().ok()?,
        (Some(host), None, Some(line)) if host.as_bytes() == line.as_str().as_bytes() => {
            line.clone()
        }
        (None, None, Some(line)) => line.clone(),
        _ => return None,
    };
    (!host.as_str().contains('@')).then_some(host)
}
