//! What ended reaches our own API as it reaches any other: by the verifier's feed, told in the
//! process instead of over a connection; and by asking while that is not up to date.

use lanyard_verifier::{
    FeedError, Following, Introspection, IntrospectionError, Introspector, Reporting,
    RevocationSource, RevocationStream, Snapshot, SnapshotFetch, Standing, StreamMessage,
    StreamRead,
};
use tokio::sync::mpsc;

use super::inside::own_name;
use crate::app::App;
use crate::db::{StoreError, chain};
use crate::ids::TenantId;
use crate::oidc::introspection;
use crate::revocation::model::Subscriber;
use crate::revocation::service;
use crate::revocation::telling::{self, Told};

/// The issuer's own feed (`crate::revocation`), once the process serves.
pub(super) struct InsideRevocations(pub(super) App);

fn away(error: &StoreError) -> FeedError {
    FeedError::Unreachable(chain(error))
}

impl InsideRevocations {
    /// Told of every clinic, as an API that all of them share.
    fn subscriber(&self) -> Subscriber {
        Subscriber {
            tenant: TenantId::PLATFORM,
            client: own_name(),
            audiences: vec![super::audience(&self.0)],
        }
    }

    async fn open(&self, after: u64) -> Result<Box<dyn RevocationStream>, FeedError> {
        let app = &self.0;
        let goes = || FeedError::Unreachable("the process goes".to_owned());
        let place = app.feed.join_as_own(app).ok_or_else(goes)?;
        let after = i64::try_from(after).map_err(|_| FeedError::Malformed("a position"))?;
        let told = telling::begin(app, self.subscriber(), place, Some(after)).await;
        let messages = told.map_err(|error| away(&error))?;
        Ok(Box::new(InsideStream {
            messages,
            read: Vec::new().into_iter(),
        }))
    }
}

impl RevocationSource for InsideRevocations {
    fn snapshot(&self) -> SnapshotFetch<'_> {
        Box::pin(async {
            self.0.feed.begun().await;
            let snapshot = service::snapshot(&self.0, &self.subscriber()).await;
            let snapshot = snapshot.map_err(|error| away(&error))?;
            Ok(Snapshot {
                position: snapshot.position.unsigned_abs(),
                sets: snapshot.sets.iter().map(ToString::to_string).collect(),
            })
        })
    }

    fn follow(&self, after: u64) -> Following<'_> {
        Box::pin(self.open(after))
    }

    /// The fleet is of others: how this process stands is among its own metrics.
    fn report<'a>(&'a self, _: &'a Standing) -> Reporting<'a> {
        Box::pin(async { Ok(()) })
    }
}

struct InsideStream {
    messages: mpsc::Receiver<Vec<Told>>,
    read: std::vec::IntoIter<Told>,
}

impl RevocationStream for InsideStream {
    fn next(&mut self) -> StreamRead<'_> {
        Box::pin(async {
            loop {
                if let Some(told) = self.read.next() {
                    return Ok(message(told));
                }
                let ended = || FeedError::Unreachable("the stream ended".to_owned());
                self.read = self.messages.recv().await.ok_or_else(ended)?.into_iter();
            }
        })
    }
}

fn message(told: Told) -> StreamMessage {
    match told {
        Told::Set {
            position,
            previous,
            set,
        } => StreamMessage::Event {
            position: position.unsigned_abs(),
            previous: previous.unsigned_abs(),
            set: set.as_ref().to_owned(),
        },
        Told::UpToDate {
            position,
            previous,
            issuer_time,
        } => StreamMessage::Heartbeat {
            position: position.unsigned_abs(),
            previous: Some(previous.unsigned_abs()),
            issuer_time,
        },
        Told::SnapshotRequired => StreamMessage::SnapshotRequired,
    }
}

/// What `POST /introspect` would say, asked in the process.
pub(super) struct InsideIntrospection(pub(super) App);

impl Introspector for InsideIntrospection {
    fn is_active<'a>(&'a self, token: &'a str) -> Introspection<'a> {
        Box::pin(async move {
            let asked = introspection::is_active(&self.0, token).await;
            asked.map_err(|error| IntrospectionError::Unreachable(chain(&error)))
        })
    }
}
