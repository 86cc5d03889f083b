//! An issuer over real connections, in the clear or with TLS.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use lanyard_verifier::test_issuer::TestIssuer;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) const AUTHORITY: &[u8] = include_bytes!("tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("tls/localhost.der");
/// Published with these tests, so worth nothing.
const CERTIFICATE_KEY: &[u8] = include_bytes!("tls/localhost-key.der");

/// Where a request was answered, in order.
#[derive(Clone, Default)]
pub(crate) struct Paths(Arc<Mutex<Vec<String>>>);

impl Paths {
    pub(crate) fn seen(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").clone()
    }
}

async fn note(State(paths): State<Paths>, request: Request, next: Next) -> Response {
    paths
        .0
        .lock()
        .expect("not poisoned")
        .push(request.uri().path().to_owned());
    next.run(request).await
}

/// Serves what `router` makes of the issuer's URL, in the clear, on a port of its own.
pub(crate) async fn in_the_clear(router: impl FnOnce(&str) -> Router) -> (String, Paths) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let url = format!("http://127.0.0.1:{port}");
    let paths = Paths::default();
    let router = noted(router(&url), &paths);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, paths)
}

/// The same with TLS, for the name `localhost`.
pub(crate) async fn with_tls(router: impl FnOnce(&str) -> Router) -> (String, Paths) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let url = format!("https://localhost:{port}");
    let paths = Paths::default();
    let router = noted(router(&url), &paths);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(CERTIFICATE_KEY).expect("PKCS #8");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the suites")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .expect("they belong together");
    let listener = TlsListener {
        listener,
        tls: TlsAcceptor::from(Arc::new(config)),
    };
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, paths)
}

fn noted(router: Router, paths: &Paths) -> Router {
    router.layer(axum::middleware::from_fn_with_state(paths.clone(), note))
}

struct TlsListener {
    listener: TcpListener,
    tls: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else {
                continue;
            };
            // A client that does not trust us goes away here.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// RFC 8414 metadata.
pub(crate) fn metadata(issuer: &str, jwks_uri: &str) -> String {
    json!({ "issuer": issuer, "jwks_uri": jwks_uri, "other": [1, 2] }).to_string()
}

/// Metadata and key set, as Lanyard serves them.
pub(crate) fn well_behaved(issuer: &TestIssuer) -> impl FnOnce(&str) -> Router {
    let issuer = issuer.clone();
    move |url: &str| {
        let metadata = metadata(url, &format!("{url}/jwks"));
        Router::new()
            .route(
                "/.well-known/oauth-authorization-server",
                axum::routing::get(move || async move { metadata }),
            )
            .route(
                "/jwks",
                axum::routing::get(move || async move { issuer.jwks() }),
            )
    }
}
