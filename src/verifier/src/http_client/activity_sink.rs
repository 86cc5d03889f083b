//! Activity reports over HTTP(S).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request};
use serde::Serialize;

use super::HttpClient;
use crate::activity::{ActivityDelivery, ActivityError, ActivityEvent, ActivitySink};
use crate::error::BuildError;
use crate::resource::is_identifier;

/// Posts activity to the issuer's `/activity`, as the client that this API is registered as.
pub struct HttpActivitySink {
    address: String,
    authorization: HeaderValue,
    client: HttpClient,
}

#[derive(Serialize)]
struct Report<'a> {
    events: &'a [ActivityEvent],
}

impl HttpActivitySink {
    /// Reports to that issuer.
    ///
    /// - `client_id`, `client_secret`: the API's own, registered at the issuer for its audience.
    ///
    /// # Errors
    /// [`BuildError::Issuer`].
    pub fn new(issuer: &str, client_id: &str, client_secret: &str) -> Result<Self, BuildError> {
        if !is_identifier(issuer) {
            return Err(BuildError::Issuer);
        }
        // RFC 6749 §2.3.1: both are form-encoded before they are joined.
        let pair = format!(
            "{}:{}",
            form_encoded(client_id),
            form_encoded(client_secret)
        );
        let credentials = format!("Basic {}", STANDARD.encode(pair));
        let mut authorization =
            HeaderValue::from_str(&credentials).expect("base64 may stand in a header");
        authorization.set_sensitive(true);
        Ok(Self {
            address: format!("{}/activity", issuer.trim_end_matches('/')),
            authorization,
            client: HttpClient::new(),
        })
    }

    /// Calls by another client, such as one that trusts a private certificate authority.
    #[must_use]
    pub fn client(mut self, client: HttpClient) -> Self {
        self.client = client;
        self
    }

    async fn post(&self, events: &[ActivityEvent]) -> Result<(), ActivityError> {
        let report = serde_json::to_string(&Report { events }).expect("strings and numbers");
        let request = Request::post(&self.address)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(report)
            .map_err(|error| ActivityError::Lost(error.to_string()))?;
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|error| ActivityError::Lost(error.to_string()))?;
        let status = answer.status;
        if status.is_success() {
            Ok(())
        } else if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
            Err(ActivityError::Lost(format!("status {}", status.as_u16())))
        } else {
            Err(ActivityError::Refused(status.as_u16()))
        }
    }
}

impl ActivitySink for HttpActivitySink {
    fn deliver<'a>(&'a self, events: &'a [ActivityEvent]) -> ActivityDelivery<'a> {
        Box::pin(self.post(events))
    }
}

/// `application/x-www-form-urlencoded`, byte by byte.
fn form_encoded(text: &str) -> String {
    use fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

impl fmt::Debug for HttpActivitySink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpActivitySink")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
