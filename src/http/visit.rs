//! One visit of a browser to a page of ours: what every page handler starts from.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use super::browser::Browser;
use super::layers::RequestId;
use super::page::{self, PageError};
use super::peer::Peer;
use crate::app::App;
use crate::pages::Frame;

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
        let peer = Peer::from_request_parts(parts, app).await?;
        Ok(Self {
            app: app.clone(),
            request_id,
            browser,
            network: peer.network,
            agent: peer.user_agent,
            query: parts.uri.query().unwrap_or_default().to_owned(),
        })
    }
}
