//! Where revocations come from.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use thiserror::Error;
use time::OffsetDateTime;

/// Tells what was revoked.
///
/// [`HttpRevocationSource`](crate::HttpRevocationSource) (feature `http-source`) asks the issuer; a
/// process that is the issuer tells it itself.
pub trait RevocationSource: Send + Sync {
    /// Brings what is in force now. Called by one task, when it begins and when something was lost;
    /// given up after 30 seconds.
    fn snapshot(&self) -> SnapshotFetch<'_>;

    /// Opens the stream of what comes after that position. Given up after 10 seconds.
    fn follow(&self, after: u64) -> Following<'_>;

    /// Tells the issuer how this verifier stands, every 30 seconds. What comes of it changes
    /// nothing here.
    fn report<'a>(&'a self, standing: &'a Standing) -> Reporting<'a>;
}

/// Messages in the order of their positions. Dropped when the verifier goes or something was lost.
pub trait RevocationStream: Send {
    /// The next message; an error ends the stream. Given up after 15 seconds of silence.
    fn next(&mut self) -> StreamRead<'_>;
}

/// What [`RevocationSource::snapshot`] returns.
pub type SnapshotFetch<'a> = Pin<Box<dyn Future<Output = Result<Snapshot, FeedError>> + Send + 'a>>;
/// What [`RevocationSource::follow`] returns.
pub type Following<'a> =
    Pin<Box<dyn Future<Output = Result<Box<dyn RevocationStream>, FeedError>> + Send + 'a>>;
/// What [`RevocationSource::report`] returns.
pub type Reporting<'a> = Pin<Box<dyn Future<Output = Result<(), FeedError>> + Send + 'a>>;
/// What [`RevocationStream::next`] returns.
pub type StreamRead<'a> =
    Pin<Box<dyn Future<Output = Result<StreamMessage, FeedError>> + Send + 'a>>;

/// What is in force, at the least up to a position; the stream goes on after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The position of the last event that is in it.
    pub position: u64,
    /// Security event tokens (RFC 8417) in compact form.
    pub sets: Vec<String>,
}

/// One message of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamMessage {
    /// Something was revoked.
    Event {
        /// Its place among all events of the issuer.
        position: u64,
        /// The position of the last event that this subscriber was sent, or from which it went on.
        /// Another one than it knows shows a loss.
        previous: u64,
        /// A security event token (RFC 8417) in compact form.
        set: String,
    },
    /// Everything up to now was told.
    Heartbeat {
        /// The last position that was given, whoever is told of it. What comes next names it as
        /// its `previous`.
        position: u64,
        /// As an event's, if the issuer says it.
        previous: Option<u64>,
        /// Up to when all that was revoked has been told.
        issuer_time: OffsetDateTime,
    },
    /// What was missed is not kept any more: a snapshot is needed.
    SnapshotRequired,
}

/// Why a source did not answer, or not as it should.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FeedError {
    /// No answer, or one of the issuer's own failures. Transient.
    #[error("the issuer did not answer: {0}")]
    Unreachable(String),
    /// The issuer refused; it would again. The operator's fault: the API's client credentials.
    #[error("the issuer refused: status {0}")]
    Refused(u16),
    /// What came is not what it should be. The issuer's or a proxy's fault.
    #[error("not what was asked for: {0}")]
    Malformed(&'static str),
}

/// How a verifier stands, as the issuer is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Standing {
    /// Of this crate.
    pub version: &'static str,
    /// Which of the API's processes this is: random, made when the verifier was.
    pub instance: String,
    /// How long ago the issuer's keys came.
    pub keys_age_seconds: u64,
    /// The last position that was told; `None` before the first snapshot.
    pub position: Option<u64>,
    /// Since when something could have been revoked and not be known; `None` as before.
    pub lag_milliseconds: Option<u64>,
}
