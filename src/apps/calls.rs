//! The one HTTP client of the apps: to the issuer and its API, over the network like anyone's.

use std::pin::Pin;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use openidconnect::{HttpRequest, HttpResponse};
use tokio::time::timeout;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(5);
/// For a download's next piece, and for all of it.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
const DOWNLOAD_TIMEOUT: Duration = Duration::from_hours(6);
/// Nothing else that we ask for is larger.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Calls out. Follows no redirect: what the issuer says is final (FED, SSRF).
#[derive(Clone, Debug)]
pub struct Caller {
    client: reqwest::Client,
}

/// Whose fault is open: no answer that could be read.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection, or no answer in time.
    #[error("the call got no answer")]
    Silent(#[from] reqwest::Error),
    /// More than anything we ask for.
    #[error("the answer is too large")]
    TooLarge,
    /// A download that stood still.
    #[error("the answer stood still")]
    Late,
    /// Not HTTP as we know it.
    #[error("the answer is no HTTP message")]
    Malformed(#[from] http::Error),
}

type Calling = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send>>;

impl Caller {
    /// One with its own connections.
    pub fn new() -> Self {
        // Whoever came first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("lanyard-apps/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("a TLS provider is installed");
        Self { client }
    }

    /// As the openidconnect crate wants it.
    pub fn for_oidc(&self) -> impl Fn(HttpRequest) -> Calling + Clone + Send + Sync + use<> {
        let caller = self.clone();
        move |request| {
            let caller = caller.clone();
            Box::pin(async move { caller.send(request).await })
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let (parts, body) = request.into_parts();
        let answer = self
            .client
            .request(parts.method, parts.uri.to_string())
            .headers(parts.headers)
            .body(body)
            .send()
            .await?;
        let mut response = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        Ok(response.body(bounded(answer).await?)?)
    }

    /// `GET` with headers; status, headers and body.
    pub async fn get(
        &self,
        address: Url,
        headers: HeaderMap,
    ) -> Result<(u16, HeaderMap, Vec<u8>), CallError> {
        let answer = self.client.get(address).headers(headers).send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok((status, headers, bounded(answer).await?))
    }

    /// `GET` of an answer of any length, which comes piece by piece.
    pub async fn download(&self, address: Url, headers: HeaderMap) -> Result<Download, CallError> {
        let request = self.client.get(address).headers(headers);
        let asking = request.timeout(DOWNLOAD_TIMEOUT).send();
        let answer = timeout(TIMEOUT, asking).await;
        Ok(Download(answer.map_err(|_| CallError::Late)??))
    }

    /// `POST` of a body with headers; status, headers and body of the answer.
    pub async fn post(
        &self,
        address: Url,
        headers: HeaderMap,
        body: String,
    ) -> Result<(u16, HeaderMap, Vec<u8>), CallError> {
        let request = self.client.post(address).headers(headers).body(body);
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok((status, headers, bounded(answer).await?))
    }
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub struct Download(reqwest::Response);

impl Download {
    /// Status and headers, with the whole body if it says no.
    pub async fn refusal(self) -> Result<(u16, HeaderMap, Vec<u8>), CallError> {
        let (status, headers) = (self.0.status().as_u16(), self.0.headers().clone());
        Ok((status, headers, bounded(self.0).await?))
    }

    /// Whether there is something to take.
    pub fn is_a_yes(&self) -> bool {
        self.0.status() == StatusCode::OK
    }

    /// Its headers.
    pub fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// The next piece; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        let next = timeout(PIECE_TIMEOUT, self.0.chunk()).await;
        let piece = next.map_err(|_| CallError::Late)??;
        Ok(piece.map(Vec::from))
    }
}

impl Default for Caller {
    fn default() -> Self {
        Self::new()
    }
}

async fn bounded(mut answer: reqwest::Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(CallError::TooLarge);
        }
    }
    Ok(body)
}
