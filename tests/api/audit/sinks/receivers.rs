//! Collectors of others, on the loopback.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What the collector that asks for one knows us by.
pub(super) const SECRET: &str = "a bearer token of the collector's";

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// It takes what it gets, and says so.
    Well,
    /// It takes nothing.
    Down,
    /// It takes it, and what it says is not heard.
    Mute,
    /// It takes it, and says nothing for a long time.
    Thinking,
}

#[derive(Debug)]
struct Taken {
    mood: Mood,
    bodies: Vec<String>,
}

type Shared = Arc<(Mutex<Taken>, watch::Sender<usize>)>;

/// One that is posted to.
pub(super) struct Collector {
    port: u16,
    shared: Shared,
    serving: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: String) -> StatusCode {
    let mood = {
        let mut taken = shared.0.lock().unwrap();
        let knows = headers
            .get("authorization")
            .is_none_or(|bearer| bearer.to_str().unwrap() == format!("Bearer {SECRET}"));
        assert!(knows, "another secret");
        if taken.mood != Mood::Down {
            taken.bodies.push(body);
        }
        taken.mood
    };
    shared.1.send_modify(|count| *count += 1);
    match mood {
        Mood::Well => StatusCode::ACCEPTED,
        Mood::Down => StatusCode::SERVICE_UNAVAILABLE,
        Mood::Mute => StatusCode::BAD_GATEWAY,
        Mood::Thinking => std::future::pending().await,
    }
}

impl Collector {
    pub(super) async fn begin() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Taken {
            mood: Mood::Well,
            bodies: Vec::new(),
        };
        let shared: Shared = Arc::new((Mutex::new(taken), watch::Sender::new(0)));
        let router = Router::new()
            .route("/in", post(take))
            .layer(axum::extract::DefaultBodyLimit::max(16 << 20))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            port,
            shared,
            serving,
        }
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/in", self.port)
    }

    pub(super) fn is(&self, mood: Mood) {
        self.shared.0.lock().unwrap().mood = mood;
    }

    /// How often something was posted.
    pub(super) fn tried(&self) -> usize {
        *self.shared.1.borrow()
    }

    pub(super) async fn has_been_asked(&self) {
        let mut count = self.shared.1.subscribe();
        count.wait_for(|count| *count > 0).await.unwrap();
    }

    fn bodies(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().bodies.clone()
    }

    /// Lines of NDJSON, as they came.
    pub(super) fn lines(&self) -> Vec<String> {
        let lines = |body: String| body.lines().map(str::to_owned).collect::<Vec<_>>();
        self.bodies().into_iter().flat_map(lines).collect()
    }

    /// How many each batch had.
    pub(super) fn batches(&self) -> Vec<usize> {
        let bodies = self.bodies();
        bodies.iter().map(|body| body.lines().count()).collect()
    }

    /// Events of arrays, as they came.
    pub(super) fn events(&self) -> Vec<Value> {
        let events = |body: String| serde_json::from_str::<Vec<Value>>(&body).unwrap();
        self.bodies().into_iter().flat_map(events).collect()
    }
}

#[derive(Debug, Default)]
struct Heard {
    resets: bool,
    bytes: Vec<u8>,
}

/// One that listens for syslog.
pub(super) struct Stream {
    port: u16,
    heard: Arc<Mutex<Heard>>,
    /// Whoever believes this believes it, in PEM.
    pub(super) authority: String,
    has_tls: bool,
}

impl Stream {
    pub(super) async fn begin(has_tls: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = has_tls.then(|| TlsAcceptor::from(Arc::new(config)));
        let heard = Arc::<Mutex<Heard>>::default();
        let to = Arc::clone(&heard);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                listen(stream, acceptor.clone(), &to).await;
            }
        });
        Self {
            port,
            heard,
            authority: cert.pem(),
            has_tls,
        }
    }

    pub(super) fn address(&self) -> String {
        let scheme = if self.has_tls { "tls" } else { "tcp" };
        format!("{scheme}://localhost:{}", self.port)
    }

    /// Whether it ends connections without hearing all.
    pub(super) fn resets(&self, resets: bool) {
        self.heard.lock().unwrap().resets = resets;
    }

    /// Each after its length in octets and a space.
    pub(super) fn messages(&self) -> Vec<String> {
        let bytes = self.heard.lock().unwrap().bytes.clone();
        let (mut rest, mut messages) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let space = rest.iter().position(|&byte| byte == b' ').unwrap();
            let length: usize = str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
            let (message, next) = rest[space + 1..].split_at(length);
            messages.push(String::from_utf8(message.to_vec()).unwrap());
            rest = next;
        }
        messages
    }
}

async fn listen(mut stream: TcpStream, acceptor: Option<TlsAcceptor>, heard: &Mutex<Heard>) {
    if heard.lock().unwrap().resets {
        stream.read_u8().await.unwrap();
        stream.set_zero_linger().unwrap();
        return;
    }
    let Some(acceptor) = acceptor else {
        return to_its_end(stream, heard).await;
    };
    // Whoever does not believe us goes away.
    if let Ok(stream) = acceptor.accept(stream).await {
        to_its_end(stream, heard).await;
    }
}

async fn to_its_end(mut stream: impl AsyncRead + AsyncWrite + Unpin, heard: &Mutex<Heard>) {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    heard.lock().unwrap().bytes.extend(bytes);
    let _ = stream.shutdown().await;
}
