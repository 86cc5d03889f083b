//! Which hosts a face answers for: what a request names, and the issuer's own.

use std::net::IpAddr;

use axum::extract::Request;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Method, StatusCode};

use super::layers::RequestId;
use crate::app::App;

/// The hosts of one face.
pub trait Hosts: Send + Sync + 'static {
    /// What a request for another host is told. One for ours gets nothing said, and may get what
    /// was learned of the host put beside it.
    fn refuse(
        &self,
        request: &mut Request,
        id: &RequestId,
    ) -> impl Future<Output = Option<Response>> + Send;
}

/// The issuer's own host and no other (TEN-01, LOGIN-14); a loopback address is sent to the name,
/// where cookies are.
#[derive(Debug)]
pub struct OwnHost {
    /// `localhost:8080`.
    own: String,
    origin: String,
}

impl OwnHost {
    /// As configured.
    pub fn of(app: &App) -> Self {
        let issuer = app.config.issuer.url();
        let host = issuer.host_str().unwrap_or_default();
        Self {
            own: issuer
                .port()
                .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            origin: app.issuer().to_owned(),
        }
    }

    fn say(&self, request: &Request) -> Response {
        let Some(host) = sole_host(request) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let bare = host.host().trim_start_matches('[').trim_end_matches(']');
        let is_loopback = bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if is_loopback && *request.method() == Method::GET {
            let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
            return Redirect::temporary(&format!("{}{path}", self.origin)).into_response();
        }
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}

impl Hosts for OwnHost {
    async fn refuse(&self, request: &mut Request, _: &RequestId) -> Option<Response> {
        let is_own =
            named_host(request).is_some_and(|host| host.eq_ignore_ascii_case(self.own.as_bytes()));
        (!is_own).then(|| self.say(request))
    }
}

/// The request's host, if it names exactly one and the request line agrees.
pub fn sole_host(request: &Request) -> Option<Authority> {
    let host = Authority::try_from(named_host(request)?).ok()?;
    (!host.as_str().contains('@')).then_some(host)
}

/// The same, before anybody looked whether it is a host at all.
fn named_host(request: &Request) -> Option<&[u8]> {
    let mut named = request.headers().get_all(HOST).iter();
    let (first, second) = (named.next(), named.next());
    let line = request
        .uri()
        .authority()
        .map(|line| line.as_str().as_bytes());
    match (first.map(HeaderValue::as_bytes), second, line) {
        (Some(host), None, None) => Some(host),
        (Some(host), None, Some(line)) if host == line => Some(host),
        (None, None, Some(line)) => Some(line),
        _ => None,
    }
}
