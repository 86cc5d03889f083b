//! The issuer's key set over HTTP(S).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, Request, StatusCode, Uri};
use serde::Deserialize;

use super::{Answer, HttpClient};
use crate::error::{BuildError, KeySourceError};
use crate::json::read_strictly;
use crate::jwk::JwkSet;
use crate::keys::{KeyFetch, KeySource};
use crate::resource::is_identifier;

/// Asks the issuer for its key set, at the address that its metadata names (RFC 8414).
#[derive(Debug)]
pub struct HttpKeySource {
    issuer: String,
    client: HttpClient,
    /// Found once; forgotten when it stops working, so that the issuer may move it.
    jwks_uri: Mutex<Option<String>>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl HttpKeySource {
    /// The key set of that issuer.
    ///
    /// # Errors
    /// [`BuildError::Issuer`].
    pub fn new(issuer: impl Into<String>) -> Result<Self, BuildError> {
        let issuer = issuer.into();
        if !is_identifier(&issuer) {
            return Err(BuildError::Issuer);
        }
        Ok(Self {
            issuer,
            client: HttpClient::new(),
            jwks_uri: Mutex::default(),
        })
    }

    /// Calls by another client, such as one that trusts a private certificate authority.
    #[must_use]
    pub fn client(mut self, client: HttpClient) -> Self {
        self.client = client;
        self
    }

    async fn key_set(&self) -> Result<JwkSet, KeySourceError> {
        let known = self.jwks_uri().clone();
        let jwks_uri = match known {
            Some(jwks_uri) => jwks_uri,
            None => self.discover().await?,
        };
        match self.get(&jwks_uri).await {
            Ok(answer) => {
                let mut set = JwkSet::from_json(&answer.body)?;
                set.max_age = max_age(&answer.headers);
                *self.jwks_uri() = Some(jwks_uri);
                Ok(set)
            }
            Err(error) => {
                *self.jwks_uri() = None;
                Err(error)
            }
        }
    }

    fn jwks_uri(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.jwks_uri.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// RFC 8414 §3: the well-known part goes between host and path; §3.3: the document must name
    /// the issuer that was asked for.
    async fn discover(&self) -> Result<String, KeySourceError> {
        let uri: Uri = self
            .issuer
            .parse()
            .map_err(|_| KeySourceError::Malformed("issuer"))?;
        let path = uri.path().trim_end_matches('/');
        let start = self.issuer.trim_end_matches('/');
        let start = start.strip_suffix(path).unwrap_or(start);
        let address = format!("{start}/.well-known/oauth-authorization-server{path}");
        let answer = self.get(&address).await?;
        let metadata: Metadata = read_strictly(&answer.body).ok_or(KeySourceError::Malformed(
            "metadata without issuer or jwks_uri",
        ))?;
        if metadata.issuer != self.issuer {
            return Err(KeySourceError::Malformed(
                "the metadata is another issuer's",
            ));
        }
        if !is_identifier(&metadata.jwks_uri) {
            return Err(KeySourceError::Malformed("jwks_uri is not an https URL"));
        }
        Ok(metadata.jwks_uri)
    }

    async fn get(&self, address: &str) -> Result<Answer, KeySourceError> {
        let request = Request::get(address)
            .header(ACCEPT, "application/json")
            .body(String::new())
            .map_err(|_| KeySourceError::Malformed("an address can't be called"))?;
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|error| KeySourceError::Unreachable(error.to_string()))?;
        if answer.status != StatusCode::OK {
            return Err(KeySourceError::Unreachable(format!(
                "status {}",
                answer.status.as_u16()
            )));
        }
        Ok(answer)
    }
}

impl KeySource for HttpKeySource {
    fn fetch(&self) -> KeyFetch<'_> {
        Box::pin(self.key_set())
    }
}

/// RFC 9111 §5.2.2. "Don't keep" reads as zero, which the cache raises to its shortest period.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let directives: Vec<String> = values
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    if directives
        .iter()
        .any(|directive| directive == "no-store" || directive == "no-cache")
    {
        return Some(Duration::ZERO);
    }
    let seconds = directives
        .iter()
        .find_map(|directive| directive.strip_prefix("max-age="))?;
    seconds
        .trim_matches('"')
        .parse()
        .ok()
        .map(Duration::from_secs)
}
