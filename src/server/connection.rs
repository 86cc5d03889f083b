//! One connection: HTTP/1.1 over plain TCP or TLS, and each of its requests.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::HeaderValue;
use http::header::CONNECTION;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::Phase;
use super::door::{Door, Pass};
use super::listener::closing;
use super::pace::Paced;
use super::whole;
use crate::http::hosts::sole_host;
use crate::http::layers::{self, FaceName, RequestId};
use crate::http::peer::client_of;
use crate::http::turned_away::{self, Form, NoService};
use crate::metrics::Turned;

/// The longest head of a request, and how much of a body is read ahead. Headers are a hundred at
/// most: hyper's own bound, since any other one costs each request an allocation.
const MOST_HEAD_BYTES: usize = 32 * 1024;
/// How long an idle connection is still listened to when the process ends: a request that crosses
/// with the end is answered.
const LINGER: Duration = Duration::from_millis(500);

/// Serves one connection to its end.
pub(super) async fn run(
    door: Arc<Door>,
    pass: Pass,
    stream: TcpStream,
    peer: IpAddr,
    phase: watch::Receiver<Phase>,
) {
    // Answers are whole when they are written: there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &door.tls else {
        let line = Line::new(&door, peer, None);
        return speak(line, stream, phase, pass).await;
    };
    let handshake = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
    match tokio::time::timeout(door.pace.head, handshake).await {
        Ok(Ok(stream)) => {
            let named = stream.get_ref().1.server_name().map(str::to_owned);
            let line = Line::new(&door, peer, named);
            speak(line, stream, phase, pass).await;
        }
        Ok(Err(_)) | Err(_) => door.metrics.turned_away(door.what, Turned::Handshake),
    }
}

async fn speak<S>(line: Line, stream: S, mut phase: watch::Receiver<Phase>, _pass: Pass)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = line.door.pace;
    let io = TokioIo::new(Paced::new(stream, pace, Arc::clone(&line.is_ambiguous)));
    let line = Arc::new(line);
    let service = service_fn(move |request| {
        let line = Arc::clone(&line);
        async move { Ok::<_, Infallible>(line.answer(request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // `Paced` knows idle from slow.
        .header_read_timeout(None)
        .max_buf_size(MOST_HEAD_BYTES);
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    // Errors are the client's: it went away, was too slow, or spoke something else.
    let linger = async {
        closing(&mut phase).await;
        tokio::time::sleep(LINGER).await;
    };
    tokio::select! {
        _ = connection.as_mut() => return,
        () = linger => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// What all requests of a connection have in common.
#[derive(Debug)]
struct Line {
    door: Arc<Door>,
    peer: IpAddr,
    /// The name in the TLS handshake.
    named: Option<String>,
    is_ambiguous: Arc<AtomicBool>,
}

/// Counts a request as active until its answer is on the way, however it gets there.
struct Active<'a>(&'a Door);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.metrics.request_ended(self.0.what);
    }
}

impl Line {
    fn new(door: &Arc<Door>, peer: IpAddr, named: Option<String>) -> Self {
        Self {
            door: Arc::clone(door),
            peer,
            named,
            is_ambiguous: Arc::default(),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response {
        self.door.metrics.request_began(self.door.what);
        let _active = Active(&self.door);
        let (head, incoming) = request.into_parts();
        let mut request = Request::from_parts(head, Body::empty());
        let is_ambiguous = self.is_ambiguous.load(Ordering::Relaxed);
        let extensions = request.extensions_mut();
        extensions.insert(FaceName(self.door.what));
        let client = client_of(self.peer, request.headers(), &self.door.proxy);
        request.extensions_mut().insert(client);
        let refused = if is_ambiguous {
            Some(Turned::Ambiguous)
        } else {
            (!self.is_for_the_name(&request)).then_some(Turned::OtherName)
        };
        if refused.is_none() {
            *request.body_mut() = whole::body(incoming).await;
        }
        let seat = self.door.seat();
        let refused = refused.or(seat.is_none().then_some(Turned::Requests));
        if let Some(why) = refused {
            self.door.metrics.turned_away(self.door.what, why);
            request.extensions_mut().insert(NoService(why));
        }
        let mut response = self.to_its_end(request, seat).await;
        if is_ambiguous || self.door.is_closing.load(Ordering::Relaxed) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }

    /// What is answered at its first poll, as every document is that waits for nothing, is answered
    /// here. All else goes on in a task of its own: what writes runs to its end although the client
    /// hangs up, and the seat is taken until then (DOS-10). Nothing is awaited between the two, so
    /// no hang-up falls there. A panic ends the request and nothing else (DOS-13).
    async fn to_its_end(&self, request: Request, seat: Option<impl Send + 'static>) -> Response {
        let form = Form::of(&request);
        let router = self.door.router.clone();
        let mut work = Box::pin(async move {
            let _seat = seat;
            let Ok(response) = router.oneshot(request).await;
            response
        });
        let first = poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
            Poll::Ready(polled)
        });
        let response = match first.await {
            Ok(Poll::Ready(response)) => Some(response),
            Ok(Poll::Pending) => {
                let running = tokio::spawn(work);
                match tokio::time::timeout(self.door.pace.answer, running).await {
                    Ok(ended) => ended.ok(),
                    Err(_) => return self.late(form),
                }
            }
            Err(_) => None,
        };
        let response = response.unwrap_or_else(layers::panicked);
        if response.extensions().get::<layers::Panicked>().is_some() {
            self.door.metrics.request_panicked(self.door.what);
        }
        response
    }

    /// The work goes on for itself.
    fn late(&self, form: Form) -> Response {
        self.door.metrics.turned_away(self.door.what, Turned::Late);
        tracing::warn!(face = self.door.what, "an answer took too long to begin");
        turned_away::say(Turned::Late, &RequestId::unknown(), form)
    }

    /// HTTP-11: a client that shook hands with one name speaks to that one.
    fn is_for_the_name(&self, request: &Request) -> bool {
        let Some(named) = &self.named else {
            return true;
        };
        sole_host(request).is_some_and(|host| host.host().eq_ignore_ascii_case(named))
    }
}
