//! The issuer's endpoints for resource servers over real connections, as Lanyard serves them:
//! revocations, introspection, the record of requests under impersonation.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use hyper::body::Frame;
use lanyard_verifier::test_issuer::TestIssuer;
use lanyard_verifier::{
    Builder, HttpKeySource, HttpRevocationSource, RevocationSource, StreamMessage, Verifier,
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::clock::FixedClock;
use crate::lab::{AUDIENCE, JUNIPER, NOW};
use crate::served::{Paths, in_the_clear, well_behaved};

/// `api-visits` with the secret `s3cret/+`, form-encoded (RFC 6749 §2.3.1).
const CREDENTIALS: &str = "Basic YXBpLXZpc2l0czpzM2NyZXQlMkYlMkI=";
pub(crate) const SECRET: &str = "s3cret/+";

/// The issuer's endpoints for resource servers, as Lanyard serves them.
#[derive(Clone)]
pub(crate) struct Endpoints {
    issuer: TestIssuer,
    /// `Last-Event-ID` of each stream, and what was posted, by path.
    heard: Arc<Mutex<Vec<(String, String)>>>,
    /// What a path answers instead.
    instead: Arc<Mutex<Option<Instead>>>,
}

/// A path, and what it answers.
type Instead = (&'static str, StatusCode, String);

impl Endpoints {
    fn hear(&self, path: &str, what: String) {
        let mut heard = self.heard.lock().expect("not poisoned");
        heard.push((path.to_owned(), what));
    }

    pub(crate) fn heard(&self, path: &str) -> Vec<String> {
        let heard = self.heard.lock().expect("not poisoned");
        let of_path = heard.iter().filter(|(at, _)| at == path);
        of_path.map(|(_, what)| what.clone()).collect()
    }

    pub(crate) fn answer_instead(&self, path: &'static str, status: StatusCode, body: &str) {
        let mut instead = self.instead.lock().expect("not poisoned");
        *instead = Some((path, status, body.to_owned()));
    }

    pub(crate) fn answer_well(&self) {
        *self.instead.lock().expect("not poisoned") = None;
    }

    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/revocations", get(stream))
            .route("/revocations/snapshot", get(snapshot))
            .route("/revocations/standing", post(posted))
            .route("/introspect", post(posted))
            .route("/activity/acted", post(posted))
            .layer(from_fn_with_state(self.clone(), guarded))
            .with_state(self.clone())
    }
}

/// Only the registered API, with this crate's version; or what a test wants instead.
async fn guarded(State(ends): State<Endpoints>, request: Request, next: Next) -> Response {
    let version = &request.headers()["lanyard-verifier-version"];
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    let instead = ends.instead.lock().expect("not poisoned").clone();
    match instead {
        Some((path, status, body)) if path == request.uri().path() => {
            (status, [(CONTENT_TYPE, "text/event-stream")], body).into_response()
        }
        _ if request.headers()[AUTHORIZATION] != CREDENTIALS => {
            StatusCode::UNAUTHORIZED.into_response()
        }
        _ => next.run(request).await,
    }
}

async fn posted(State(ends): State<Endpoints>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 10_000).await;
    let body = String::from_utf8(body.expect("a body").to_vec()).expect("text");
    ends.hear(&path, body);
    if path == "/introspect" {
        return r#"{"active":true,"scope":"everything"}"#.into_response();
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn snapshot(State(ends): State<Endpoints>) -> String {
    let snapshot = ends
        .issuer
        .revocations()
        .snapshot()
        .await
        .expect("it answers");
    let (position, sets) = (snapshot.position, snapshot.sets);
    json!({ "position": position, "issuer_time": NOW, "sets": sets }).to_string()
}

async fn stream(State(ends): State<Endpoints>, headers: HeaderMap) -> Response {
    let after = headers["last-event-id"].to_str().expect("text").to_owned();
    ends.hear("/revocations", after.clone());
    let after = after.parse().expect("a position");
    let (to, told) = mpsc::channel(1);
    let source = ends.issuer.revocations();
    tokio::spawn(async move {
        let mut stream = source.follow(after).await.expect("it answers");
        while let Ok(message) = stream.next().await {
            if to.send(written(&message)).await.is_err() {
                return;
            }
        }
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::new(Told(told))).into_response()
}

fn written(message: &StreamMessage) -> String {
    match message {
        StreamMessage::Event {
            position,
            previous,
            set,
        } => {
            let data = json!({ "prev": previous, "set": set });
            format!("id: {position}\nevent: set\ndata: {data}\n\n")
        }
        StreamMessage::Heartbeat {
            position,
            issuer_time,
            ..
        } => {
            let issuer_time = issuer_time.unix_timestamp();
            let data = json!({ "position": position, "issuer_time": issuer_time });
            format!(": alive\n\nid: {position}\nevent: lag\ndata: {data}\n\n")
        }
        StreamMessage::SnapshotRequired => "event: snapshot-required\ndata: {}\n\n".to_owned(),
    }
}

struct Told(mpsc::Receiver<String>);

impl hyper::body::Body for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let told = self.0.poll_recv(cx);
        told.map(|text| text.map(|text| Ok(Frame::data(text.into()))))
    }
}

pub(crate) struct World {
    pub(crate) issuer: TestIssuer,
    pub(crate) clock: FixedClock,
    pub(crate) ends: Endpoints,
    pub(crate) url: String,
    pub(crate) paths: Paths,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (clock, issuer, ends) = parts();
        let routes = well_behaved(&issuer);
        let served = ends.router();
        let (url, paths) = in_the_clear(|url| routes(url).merge(served)).await;
        Self {
            issuer: issuer.named(&url),
            clock,
            ends,
            url,
            paths,
        }
    }

    pub(crate) fn source(&self) -> HttpRevocationSource {
        HttpRevocationSource::new(&self.url, "api-visits", SECRET).expect("a URL")
    }

    pub(crate) fn builder(&self) -> Builder {
        Verifier::builder(&self.url, AUDIENCE)
            .keys(HttpKeySource::new(&self.url).expect("a URL"))
            .clock(self.clock.clone())
    }

    pub(crate) fn verifier(&self) -> Verifier {
        let builder = self.builder().revocations(self.source());
        builder.build().expect("all is given")
    }

    pub(crate) fn token(&self) -> String {
        self.issuer.token(AUDIENCE).tenant(JUNIPER).mint()
    }
}

pub(crate) fn parts() -> (FixedClock, TestIssuer, Endpoints) {
    let clock = FixedClock::at(NOW);
    let issuer = TestIssuer::new("to be replaced").clock(clock.clone());
    let ends = Endpoints {
        issuer: issuer.clone(),
        heard: Arc::default(),
        instead: Arc::default(),
    };
    (clock, issuer, ends)
}
