//! Calls to the issuer over HTTP(S) (feature `http-source`).
//!
//! A client of our own on hyper and rustls with ring, in about a hundred lines: an HTTP client
//! crate would double what an API has to build, and the issuer is called a few times a minute. One
//! connection a call, HTTP/1.1, no redirect followed, no cookie kept, no proxy asked.

mod activity_sink;
mod as_client;
mod event_stream;
mod introspector;
mod key_source;
mod recorder;
mod revocation_source;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub use activity_sink::HttpActivitySink;
pub use introspector::HttpIntrospector;
pub use key_source::HttpKeySource;
pub use recorder::HttpRecorder;
pub use revocation_source::HttpRevocationSource;

/// For one call, from the name's look-up to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer read, in bytes. A key set has about one thousand.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Calls the issuer. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    tls: TlsConnector,
}

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The PEM text holds no certificate, or a broken one. The operator's fault.
    #[error("no usable certificate in the PEM text")]
    Certificates,
    /// The address is no URL with a host. The operator's fault.
    #[error("not an address to call")]
    Address,
    /// No connection, or it broke.
    #[error("connection: {0}")]
    Connection(String),
    /// The other side does not speak HTTP/1.1.
    #[error("HTTP: {0}")]
    Http(String),
    /// The answer is longer than is read (256 KiB; 32 MiB for a snapshot), or broke off.
    #[error("the answer could not be read")]
    Answer,
    /// No answer within 5 seconds, or 30 for a snapshot.
    #[error("no answer in time")]
    Timeout,
}

#[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
impl HttpError {
    fn connection(error: std::io::Error) -> Self {
        Self::Connection(error.to_string())
    }

    fn protocol(error: hyper::Error) -> Self {
        Self::Http(error.to_string())
    }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl HttpClient {
    /// Trusts the certificate authorities that browsers trust (Mozilla's list).
    pub fn new() -> Self {
        Self::with_roots(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
    }

    /// Trusts only these certificate authorities: for an issuer inside of a private network.
    ///
    /// # Errors
    /// [`HttpError::Certificates`].
    pub fn trusting(pem: &[u8]) -> Result<Self, HttpError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| HttpError::Certificates)?;
            roots
                .add(certificate)
                .map_err(|_| HttpError::Certificates)?;
        }
        if roots.is_empty() {
            return Err(HttpError::Certificates);
        }
        Ok(Self::with_roots(roots))
    }

    /// The ring provider is named here, so that what the process installed as its default, if
    /// anything, plays no part.
    fn with_roots(roots: RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the suites of TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            tls: TlsConnector::from(Arc::new(tls)),
        }
    }

    /// Sends one request; `uri` is whole, with scheme and host.
    pub(crate) async fn send(&self, request: Request<String>) -> Result<Answer, HttpError> {
        self.send_for(request, MAX_ANSWER_BYTES, TIMEOUT).await
    }

    /// The same for an answer that may be longer and take longer.
    pub(crate) async fn send_for(
        &self,
        request: Request<String>,
        most_bytes: usize,
        within: Duration,
    ) -> Result<Answer, HttpError> {
        let whole = async {
            let (parts, body) = self.open(request).await?.into_parts();
            let body = Limited::new(body, most_bytes).collect().await;
            let body = body.map_err(|_| HttpError::Answer)?.to_bytes();
            Ok(Answer {
                status: parts.status,
                headers: parts.headers,
                body,
            })
        };
        tokio::time::timeout(within, whole)
            .await
            .map_err(|_| HttpError::Timeout)?
    }

    /// Sends one request and leaves the answer's body to be read as it comes.
    pub(crate) async fn open(
        &self,
        mut request: Request<String>,
    ) -> Result<Response<Incoming>, HttpError> {
        let uri = std::mem::take(request.uri_mut());
        let host = uri.host().ok_or(HttpError::Address)?;
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let authority = uri.authority().ok_or(HttpError::Address)?.as_str();
        let authority = authority.parse().map_err(|_| HttpError::Address)?;
        request.headers_mut().insert(http::header::HOST, authority);
        *request.uri_mut() = Uri::builder()
            .path_and_query(uri.path_and_query().map_or("/", |path| path.as_str()))
            .build()
            .map_err(|_| HttpError::Address)?;

        let name = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((resolvable(name), port))
            .await
            .map_err(HttpError::connection)?;
        if is_tls {
            let name = ServerName::try_from(name.to_owned()).map_err(|_| HttpError::Address)?;
            exchange(
                self.tls
                    .connect(name, stream)
                    .await
                    .map_err(HttpError::connection)?,
                request,
            )
            .await
        } else {
            exchange(stream, request).await
        }
    }
}

/// Names under `localhost` are this machine (RFC 6761 §6.3), which not every resolver knows.
fn resolvable(host: &str) -> &str {
    if host.ends_with(".localhost") {
        "localhost"
    } else {
        host
    }
}

async fn exchange<S>(stream: S, request: Request<String>) -> Result<Response<Incoming>, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(HttpError::protocol)?;
    // Ends when the answer was read or let go.
    tokio::spawn(connection);
    let request = request.map(|body| Full::new(Bytes::from(body)));
    sender
        .send_request(request)
        .await
        .map_err(HttpError::protocol)
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}
