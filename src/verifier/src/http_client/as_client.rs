//! Calls to the issuer as the client that this API is registered as.

use std::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use http::{HeaderName, HeaderValue, Request, StatusCode};

use super::{Answer, HttpClient, HttpError};
use crate::error::BuildError;
use crate::resource::is_identifier;

/// Tells the issuer which release of this crate asks.
const VERSION_HEADER: HeaderName = HeaderName::from_static("lanyard-verifier-version");
pub(super) const JSON: &str = "application/json";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// The API's own client, with HTTP Basic (RFC 6749 §2.3.1).
pub(super) struct AsClient {
    issuer: String,
    authorization: HeaderValue,
    pub(super) client: HttpClient,
}

/// What the issuer's refusal or failure means to a caller.
pub(super) enum Failure {
    /// No answer, or one of the issuer's own failures: worth another try.
    Lost(String),
    /// It refused and would again.
    Refused(u16),
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self::Lost(error.to_string())
    }
}

impl AsClient {
    pub(super) fn new(
        issuer: &str,
        client_id: &str,
        client_secret: &str,
    ) -> Result<Self, BuildError> {
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
            issuer: issuer.trim_end_matches('/').to_owned(),
            authorization,
            client: HttpClient::new(),
        })
    }

    /// A request to that path of the issuer's, with the credentials in it.
    pub(super) fn request(&self, method: http::Method, path: &str) -> Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.issuer))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(VERSION_HEADER, env!("CARGO_PKG_VERSION"))
    }

    /// Posts a text, and takes any 2xx as done.
    pub(super) async fn post(
        &self,
        path: &str,
        content_type: &'static str,
        body: String,
    ) -> Result<Answer, Failure> {
        let request = self
            .request(http::Method::POST, path)
            .header(CONTENT_TYPE, content_type)
            .header(ACCEPT, JSON)
            .body(body)
            .map_err(|error| Failure::Lost(error.to_string()))?;
        let answer = self.client.send(request).await?;
        judge(answer.status).map(|()| answer)
    }
}

/// Whether an answer is one, and if not whether another try could be.
pub(super) fn judge(status: StatusCode) -> Result<(), Failure> {
    if status.is_success() {
        Ok(())
    } else if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Err(Failure::Lost(format!("status {}", status.as_u16())))
    } else {
        Err(Failure::Refused(status.as_u16()))
    }
}

/// `application/x-www-form-urlencoded`, byte by byte.
pub(super) fn form_encoded(text: &str) -> String {
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

impl fmt::Debug for AsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsClient")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
