//! One visit of a browser to a page of ours: what every page handler starts from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::response::{IntoResponse, Response};
use http::header::USER_AGENT;
use http::request::Parts;

use super::browser::Browser;
use super::layers::RequestId;
use super::page::{self, PageError};
use crate::app::App;
use crate::pages::Frame;

/// Longest user agent that is looked at, in bytes.
const MAX_AGENT_BYTES: usize = 512;

/// Whoever asks for a page: the browser, and where it stands.
#[derive(Debug)]
pub struct Visit {
    /// The process.
    pub app: App,
    /// For the page's foot and the log.
    pub request_id: RequestId,
    /// The browser.
    pub browser: Browser,
    /// The network it comes from: an IPv4 address, or the /64 of an IPv6 one, which one
    /// subscriber has whole.
    pub network: String,
    /// What it calls itself; may be empty.
    pub agent: String,
    query: String,
}

impl Visit {
    /// A query parameter that occurs exactly once.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut found = url::form_urlencoded::parse(self.query.as_bytes())
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned());
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// The frame of a page about nobody in particular.
    pub fn frame(&self) -> Frame {
        page::frame(&self.request_id)
    }

    /// Says a page or why there is none, with the cookie of a new browser.
    pub fn answer(&self, result: Result<Response, PageError>) -> Response {
        let response = result.unwrap_or_else(|error| error.respond(&self.app, &self.request_id));
        (self.browser.greeting(), response).into_response()
    }
}

impl FromRequestParts<App> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let browser = Browser::from_request_parts(parts, app).await?;
        let request_id = RequestId::from_request_parts(parts, app).await?;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let agent = parts
            .headers
            .get(USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        let agent = agent.unwrap_or_default();
        Ok(Self {
            app: app.clone(),
            request_id,
            browser,
            network: peer.map_or_else(|| "unknown".to_owned(), |ConnectInfo(at)| network(at.ip())),
            // `to_str` gives visible ASCII, so any index is a boundary.
            agent: agent[..agent.len().min(MAX_AGENT_BYTES)].to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
        })
    }
}

fn network(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let half = u128::from(ip) >> 64 << 64;
            format!("{}/64", Ipv6Addr::from(half))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn an_ipv6_network_is_its_first_half_and_a_mapped_address_is_itself() {
        let cases = [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ];
        for (ip, expected) in cases {
            assert_eq!(network(ip.parse().expect("an address")), expected);
        }
    }
}
