//! What stands before the replicas: in turn, only who is ready, and a second try only where HTTP
//! allows one; and a plain relay before a database.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use tokio::net::{TcpListener, TcpStream};

/// Asks a replica whether it is ready this often.
const HEALTH: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
struct Backend {
    issuer: SocketAddr,
    operations: SocketAddr,
    is_ready: bool,
}

/// An HTTP proxy.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    backends: Arc<Mutex<Vec<Backend>>>,
    turn: Arc<AtomicUsize>,
    client: reqwest::Client,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        // Another test may have been first: the same one then.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            backends: Arc::default(),
            turn: Arc::default(),
            client,
        };
        let router = Router::new().fallback(forward).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        tokio::spawn(proxy.clone().watch());
        proxy
    }

    /// Puts a replica in a place; it is asked for its health before it is given anything.
    pub(crate) fn put(&self, place: usize, issuer: SocketAddr, operations: SocketAddr) {
        let backend = Backend {
            issuer,
            operations,
            is_ready: false,
        };
        let mut backends = self.backends.lock().unwrap();
        if place < backends.len() {
            backends[place] = backend;
        } else {
            backends.push(backend);
        }
    }

    async fn watch(self) {
        let mut ticks = tokio::time::interval(HEALTH);
        loop {
            ticks.tick().await;
            let known = self.backends.lock().unwrap().clone();
            for backend in known {
                let asked = self
                    .client
                    .get(format!("http://{}/readyz", backend.operations))
                    .timeout(Duration::from_secs(5))
                    .send();
                let is_ready = asked.await.is_ok_and(|answer| answer.status() == 200);
                self.mark(backend.issuer, is_ready);
            }
        }
    }

    fn mark(&self, issuer: SocketAddr, is_ready: bool) {
        let mut backends = self.backends.lock().unwrap();
        for backend in backends.iter_mut().filter(|b| b.issuer == issuer) {
            backend.is_ready = is_ready;
        }
    }

    /// Who is ready, beginning with the next in turn.
    fn ready(&self) -> Vec<SocketAddr> {
        let backends = self.backends.lock().unwrap();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = backends.len();
        (0..count)
            .map(|n| backends[(first + n) % count])
            .filter(|backend| backend.is_ready)
            .map(|backend| backend.issuer)
            .collect()
    }
}

/// RFC 9110 §9.2.2: a request that may have arrived is sent again only if its method is
/// idempotent; one that found no connection was not sent.
async fn forward(State(proxy): State<Proxy>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    for backend in proxy.ready() {
        let sent = proxy
            .client
            .request(head.method.clone(), format!("http://{backend}{path}"))
            .headers(head.headers.clone())
            .body(body.clone())
            .send()
            .await;
        match sent {
            Ok(answer) => {
                let mut response = Response::builder().status(answer.status());
                for (name, value) in answer.headers() {
                    if name != http::header::TRANSFER_ENCODING {
                        response = response.header(name, value);
                    }
                }
                // Cut off in the middle: so is ours, by a status that is not the server's.
                let Ok(body) = answer.bytes().await else {
                    return StatusCode::BAD_GATEWAY.into_response();
                };
                return response.body(Body::from(body)).unwrap();
            }
            Err(error) if error.is_connect() => proxy.mark(backend, false),
            Err(_) if head.method == Method::GET => {}
            Err(_) => return StatusCode::BAD_GATEWAY.into_response(),
        }
    }
    StatusCode::GATEWAY_TIMEOUT.into_response()
}

/// A TCP relay whose target can be changed: an address that follows the primary.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    pub(crate) port: u16,
    target: Arc<AtomicU16>,
}

impl Relay {
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            target: Arc::new(AtomicU16::new(target)),
        };
        let target = Arc::clone(&relay.target);
        tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                tokio::spawn(pass_on(here, target.load(Ordering::SeqCst)));
            }
        });
        relay
    }

    pub(crate) fn point_to(&self, target: u16) {
        self.target.store(target, Ordering::SeqCst);
    }
}

async fn pass_on(mut here: TcpStream, port: u16) {
    if let Ok(mut there) = TcpStream::connect(("127.0.0.1", port)).await {
        // Either side may be killed at any moment: that is the end of it.
        let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
    }
}
