//! Posting a batch (RFC 9110 §9.3.3).

use std::time::Duration;

use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::model::{Address, Failed, Form};
use crate::audit::format::Line;
use crate::audit::siem::ocsf;

/// A receiver that has not answered by then has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Posts these lines; it has them when it says so by a status of 2xx. No redirect is followed: what
/// is sent goes where the operator said.
pub(super) async fn send(
    address: &Address,
    form: Form,
    (authority, secret): (Option<&str>, Option<&SecretString>),
    lines: &[String],
) -> Result<(), Failed> {
    let client = client(authority)?;
    let (kind, body) = body(form, lines);
    let mut request = client
        .post(address.url().clone())
        .header(CONTENT_TYPE, kind)
        .body(body);
    if let Some(secret) = secret {
        let bearer = format!("Bearer {}", secret.expose_secret());
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| Failed::Unusable)?;
        bearer.set_sensitive(true);
        request = request.header(AUTHORIZATION, bearer);
    }
    let answer = request.send().await.map_err(|error| in_words(&error))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(Failed::Refused(status.as_u16())),
    }
}

fn client(authority: Option<&str>) -> Result<reqwest::Client, Failed> {
    // Whoever came first has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .user_agent(concat!("lanyard/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = authority {
        let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes());
        builder = builder.tls_certs_only(certificates.map_err(|_| Failed::Unusable)?);
    }
    builder.build().map_err(|_| Failed::Unusable)
}

/// Its type, and it.
fn body(form: Form, lines: &[String]) -> (&'static str, String) {
    match form {
        Form::Line => {
            let body = lines.iter().flat_map(|line| [line.as_str(), "\n"]);
            ("application/x-ndjson", body.collect())
        }
        Form::Ocsf => {
            let events = lines.iter().map(|line| match Line::parse(line) {
                Some(line) => ocsf(&line),
                // Of a later version than this build's; sent as it is, so that none is missing.
                None => Value::String(line.clone()),
            });
            (
                "application/json",
                Value::Array(events.collect()).to_string(),
            )
        }
    }
}

fn in_words(error: &reqwest::Error) -> Failed {
    if error.is_timeout() {
        Failed::Silent
    } else if is_of_tls(error) {
        Failed::Tls
    } else if error.is_connect() {
        Failed::Unreachable
    } else {
        Failed::CutOff
    }
}

/// Whether rustls is among its causes. It stands inside of an I/O error, which does not name it as
/// its source.
fn is_of_tls(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>();
        let inner = inner.and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>()
            || inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
