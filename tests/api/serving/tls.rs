//! TLS in the process.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lanyard::server::{self, Certificates, Face, Leaving};
use rcgen::CertifiedKey;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::until_closed;
use crate::lab::Lab;

struct Secure {
    lab: Lab,
    at: SocketAddr,
    certificates: Arc<Certificates>,
    folder: PathBuf,
}

fn made() -> CertifiedKey<rcgen::KeyPair> {
    let names = ["localhost".to_owned(), "other.example".to_owned()];
    rcgen::generate_simple_self_signed(names).unwrap()
}

fn put(folder: &Path, pair: &CertifiedKey<rcgen::KeyPair>) {
    let key = folder.join("key.pem");
    let _ = std::fs::remove_file(&key);
    std::fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .mode(0o600)
        .open(key)
        .unwrap();
    std::io::Write::write_all(&mut file, pair.signing_key.serialize_pem().as_bytes()).unwrap();
}

impl Secure {
    async fn new(name: &str, pair: &CertifiedKey<rcgen::KeyPair>) -> Self {
        let name = format!("lanyard-serving-tls-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        put(&folder, pair);
        let lab = Lab::with(|config| {
            config.tls.cert_file = Some(folder.join("cert.pem"));
            config.tls.key_file = Some(folder.join("key.pem"));
            config.limits.head_time = Duration::milliseconds(500);
        })
        .await;
        let face = Face {
            what: "issuer",
            addresses: vec![(Ipv4Addr::LOCALHOST, 0).into()],
            router: lanyard::http::issuer(&lab.app).await.unwrap(),
            is_public: true,
        };
        let bound = server::bind(&lab.app, vec![face]).await.unwrap();
        let (at, certificates) = (bound.addresses()[0].1, bound.certificates().unwrap());
        let app = lab.app.clone();
        tokio::spawn(async move {
            let never = std::future::pending::<()>();
            server::serve(&app, bound, &Leaving::default(), never).await;
        });
        Self {
            lab,
            at,
            certificates,
            folder,
        }
    }

    /// One request by TLS; `None`: no handshake.
    async fn get(
        &self,
        trusted: &CertificateDer<'static>,
        version: &'static SupportedProtocolVersion,
        name: &'static str,
    ) -> Option<String> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.at).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from(name).unwrap();
        let mut stream = connector.connect(name, stream).await.ok()?;
        let host = format!("localhost:{}", self.lab.address.port());
        let request = format!("GET /jwks HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        Some(String::from_utf8(said).unwrap())
    }

    /// Bytes as they are; what comes back until the server closes.
    async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        said
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A `ClientHello` that offers `version` at most, with suites that every version has (RFC 5246
/// §7.4.1.2).
fn hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.extend([0]);
    body.extend([0, 6, 0xc0, 0x13, 0xc0, 0x14, 0x00, 0x2f]);
    body.extend([1, 0]);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![0x16, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    record
}

/// HTTP-11: 1.2 and 1.3 are spoken and nothing older; the name of the handshake is the request's;
/// HSTS is there; whoever speaks plainly or not at all gets no answer.
#[tokio::test]
async fn tls_is_at_least_1_2_and_for_the_name_that_was_asked() {
    let pair = made();
    let secure = Secure::new("versions", &pair).await;
    let trusted = pair.cert.der();
    for version in [&TLS12, &TLS13] {
        let said = secure.get(trusted, version, "localhost").await.unwrap();
        assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
        assert!(
            said.contains("strict-transport-security: max-age="),
            "{said}"
        );
        let said = secure.get(trusted, version, "other.example").await.unwrap();
        assert!(said.starts_with("HTTP/1.1 421 "), "{said}");
    }
    for old in [[3, 0], [3, 1], [3, 2]] {
        // A fatal alert, and nothing of a handshake (RFC 8446 §6).
        let said = secure.raw(&hello(old)).await;
        assert_eq!(said.first(), Some(&0x15), "{old:?}: {said:?}");
        // protocol_version, or handshake_failure for what is no TLS at all.
        assert!(matches!(said.last(), Some(70 | 40)), "{old:?}: {said:?}");
    }
    let said = secure
        .raw(b"GET /jwks HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
    let mut silent = TcpStream::connect(secure.at).await.unwrap();
    assert_eq!(until_closed(&mut silent).await, "");
    let text = secure.lab.app.metrics.text(&secure.lab.app);
    assert!(text.contains("reason=\"handshake\"} 5"), "{text}");
}

/// A renewed certificate is served without a restart.
#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let (old, new) = (made(), made());
    let secure = Secure::new("renewal", &old).await;
    let speaks = async |pair: &CertifiedKey<rcgen::KeyPair>| {
        let said = secure.get(pair.cert.der(), &TLS13, "localhost").await;
        said.is_some()
    };
    assert!(speaks(&old).await && !speaks(&new).await);
    put(&secure.folder, &new);
    assert!(secure.certificates.renew().unwrap());
    assert!(!speaks(&old).await && speaks(&new).await);
}
