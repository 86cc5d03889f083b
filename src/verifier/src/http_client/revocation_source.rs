//! Revocations over HTTP(S): the issuer's snapshot, its stream, and how this verifier stands.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, Method};
use serde::Deserialize;
use serde_json::from_slice;
use time::OffsetDateTime;

use super::as_client::{AsClient, Failure, JSON, judge};
use super::event_stream::{EventStream, ServerSentEvent};
use super::{HttpClient, HttpError};
use crate::error::BuildError;
use crate::json::read_strictly;
use crate::revocation::{
    FeedError, Following, Reporting, RevocationSource, RevocationStream, Snapshot, SnapshotFetch,
    Standing, StreamMessage, StreamRead,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: &str = "text/event-stream";
/// A snapshot has ten thousand sets at most, each of about one thousand bytes.
const MAX_SNAPSHOT_BYTES: usize = 32 * 1024 * 1024;
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(30);

/// Follows the issuer's `/revocations`, as the client that this API is registered as.
#[derive(Debug)]
pub struct HttpRevocationSource(AsClient);

/// Read by its fields: a name that is there twice does not parse.
#[derive(Deserialize)]
struct SnapshotBody {
    position: u64,
    sets: Vec<String>,
}

#[derive(Deserialize)]
struct SetData {
    prev: u64,
    set: String,
}

#[derive(Deserialize)]
struct LagData {
    position: u64,
    /// Unix seconds.
    issuer_time: i64,
    prev: Option<u64>,
}

impl From<Failure> for FeedError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(why) => Self::Unreachable(why),
            Failure::Refused(status) => Self::Refused(status),
        }
    }
}

impl From<HttpError> for FeedError {
    fn from(error: HttpError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl HttpRevocationSource {
    /// Follows that issuer.
    ///
    /// - `client_id`, `client_secret`: the API's own, registered at the issuer for its audience.
    ///
    /// # Errors
    /// [`BuildError::Issuer`].
    pub fn new(issuer: &str, client_id: &str, client_secret: &str) -> Result<Self, BuildError> {
        AsClient::new(issuer, client_id, client_secret).map(Self)
    }

    /// Calls by another client, such as one that trusts a private certificate authority.
    #[must_use]
    pub fn client(mut self, client: HttpClient) -> Self {
        self.0.client = client;
        self
    }

    async fn fetch(&self) -> Result<Snapshot, FeedError> {
        let request = self.0.request(Method::GET, "/revocations/snapshot");
        let request = request.header(ACCEPT, JSON).body(String::new());
        let request = request.map_err(|_| FeedError::Malformed("an address"))?;
        let sent = self
            .0
            .client
            .send_for(request, MAX_SNAPSHOT_BYTES, SNAPSHOT_TIMEOUT);
        let answer = sent.await?;
        judge(answer.status)?;
        let body: SnapshotBody =
            from_slice(&answer.body).map_err(|_| FeedError::Malformed("not a snapshot"))?;
        Ok(Snapshot {
            position: body.position,
            sets: body.sets,
        })
    }

    async fn open(&self, after: u64) -> Result<Box<dyn RevocationStream>, FeedError> {
        let request = self.0.request(Method::GET, "/revocations");
        let request = request
            .header(ACCEPT, EVENT_STREAM)
            .header(LAST_EVENT_ID, after)
            .body(String::new())
            .map_err(|_| FeedError::Malformed("an address"))?;
        let (parts, body) = self.0.client.open(request).await?.into_parts();
        judge(parts.status)?;
        let kind = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with(EVENT_STREAM)) {
            return Err(FeedError::Malformed("not an event stream"));
        }
        Ok(Box::new(HttpRevocations(EventStream::of(body))))
    }
}

impl RevocationSource for HttpRevocationSource {
    fn snapshot(&self) -> SnapshotFetch<'_> {
        Box::pin(self.fetch())
    }

    fn follow(&self, after: u64) -> Following<'_> {
        Box::pin(self.open(after))
    }

    fn report<'a>(&'a self, standing: &'a Standing) -> Reporting<'a> {
        Box::pin(async move {
            let standing = serde_json::to_string(standing).expect("strings and numbers");
            self.0.post("/revocations/standing", JSON, standing).await?;
            Ok(())
        })
    }
}

struct HttpRevocations(EventStream);

impl RevocationStream for HttpRevocations {
    fn next(&mut self) -> StreamRead<'_> {
        Box::pin(async move {
            loop {
                if let Some(message) = message(&self.0.next().await?)? {
                    return Ok(message);
                }
            }
        })
    }
}

/// `None` for a kind of event that a later issuer may send beside those that are known.
fn message(event: &ServerSentEvent) -> Result<Option<StreamMessage>, FeedError> {
    let broken = || FeedError::Malformed("an event of the stream");
    match event.event.as_str() {
        "set" => {
            let data: SetData = read_strictly(event.data.as_bytes()).ok_or_else(broken)?;
            let id = event.id.as_ref().and_then(|id| id.parse().ok());
            Ok(Some(StreamMessage::Event {
                position: id.ok_or_else(broken)?,
                previous: data.prev,
                set: data.set,
            }))
        }
        "lag" => {
            let data: LagData = read_strictly(event.data.as_bytes()).ok_or_else(broken)?;
            let issuer_time = OffsetDateTime::from_unix_timestamp(data.issuer_time);
            Ok(Some(StreamMessage::Heartbeat {
                position: data.position,
                previous: data.prev,
                issuer_time: issuer_time.map_err(|_| broken())?,
            }))
        }
        "snapshot-required" => Ok(Some(StreamMessage::SnapshotRequired)),
        _ => Ok(None),
    }
}
