//! Polling, and managing the one stream that a receiver may have.

use std::sync::Arc;

use uuid::Uuid;

use super::model::{Delivery, Progress, Status, Stream, Verification};
use super::store;
use crate::app::App;
use crate::db::{Authority, Identity, Job, StoreError, Tx};
use crate::ids::ClientId;
use crate::oidc::client::{Client, ClientKind, ClientStatus, service as clients};
use crate::revocation::model::{Event, Subscriber};
use crate::revocation::policy::{self, MOST_IN_POLL};
use crate::revocation::service::{PAGE, sequence};
use crate::revocation::{set, store as events};

/// Pages that one poll goes through at most; the next one goes on.
const MOST_PAGES: usize = 20;
/// So many positions are remembered beyond the first that is owed.
const MOST_BEYOND: usize = 10_000;

/// The resource server of that name, if it is one and is not disabled.
pub(in crate::revocation) async fn resource_server(
    app: &App,
    id: &ClientId,
) -> Result<Option<Subscriber>, StoreError> {
    let authority = Authority::<Identity>::claim(clients::locator(&app.keys, id)).read_only();
    let found = app
        .db
        .run(authority, async |tx| {
            clients::find_claimed(tx, &app.keys, id).await
        })
        .await?;
    let is_one = |client: &Client| {
        client.kind == ClientKind::Resource && client.status == ClientStatus::Active
    };
    Ok(found.filter(is_one).map(|client| Subscriber {
        tenant: client.tenant,
        client: client.id,
        audiences: client.audiences,
    }))
}

/// What a receiver that polls asks for (RFC 8936 §2.4).
#[derive(Debug, Default)]
pub struct Poll {
    /// At most so many.
    pub most: usize,
    /// The `jti` of what it has, or could not use: neither is given again.
    pub done_with: Vec<Uuid>,
}

/// What it is given: by `jti`, and whether there is more.
#[derive(Debug, Default)]
pub struct Polled {
    /// In the order of their events.
    pub sets: Vec<(Uuid, Arc<str>)>,
    /// Whether another poll would give more at once.
    pub has_more: bool,
}

/// Notes what a receiver is done with and gives it what it did not acknowledge yet, oldest first.
/// While its stream is not enabled, nothing.
pub async fn poll(app: &App, subscriber: &Subscriber, asked: &Poll) -> Result<Polled, StoreError> {
    sequence(app).await?;
    let work = async |tx: &mut Tx<Identity>| {
        let progress = store::hold(tx, subscriber, 0, app.env.now()).await?;
        let mut reading = Reading::of(app, subscriber, progress, asked);
        reading.go_on(tx).await?;
        store::mark_progress(tx, subscriber, &reading.progress).await?;
        Ok::<_, StoreError>(reading)
    };
    let reading: Reading<'_> = app
        .db
        .run(Authority::job(Job::TellRevocations), work)
        .await?;
    if !reading.gives_anything() {
        return Ok(reading.given());
    }
    // A receiver that is given what no published key signed says so, and is not given it again.
    app.reload_ring().await?;
    Ok(reading.given())
}

/// One poll, while the events are gone through in order.
struct Reading<'a> {
    app: &'a App,
    subscriber: &'a Subscriber,
    asked: &'a Poll,
    most: usize,
    progress: Progress,
    /// Nothing was owed so far.
    is_whole: bool,
    owed: Vec<Event>,
    /// Not everything was looked at.
    is_unfinished: bool,
}

impl<'a> Reading<'a> {
    fn of(
        app: &'a App,
        subscriber: &'a Subscriber,
        mut progress: Progress,
        asked: &'a Poll,
    ) -> Self {
        let is_done = |waiting: &Verification| asked.done_with.contains(&waiting.id);
        progress.verification = progress.verification.filter(|waiting| !is_done(waiting));
        Self {
            app,
            subscriber,
            asked,
            most: asked.most.min(MOST_IN_POLL),
            progress,
            is_whole: true,
            owed: Vec::new(),
            is_unfinished: false,
        }
    }

    async fn go_on(&mut self, tx: &mut Tx<Identity>) -> Result<(), StoreError> {
        let mut cursor = self.progress.through;
        let page = i64::try_from(PAGE).expect("a page is small");
        for _ in 0..MOST_PAGES {
            let read = events::list_after(tx, cursor, page).await?;
            // One more than is given, to know whether there is more.
            self.is_unfinished = read.len() == PAGE || self.owed.len() > self.most;
            if self.owed.len() > self.most {
                break;
            }
            let Some(last) = read.last() else { break };
            cursor = last.position;
            for event in read {
                self.take(event);
            }
        }
        self.progress.beyond.truncate(MOST_BEYOND);
        Ok(())
    }

    fn take(&mut self, event: Event) {
        let position = event.position;
        let was_done = self.progress.beyond.contains(&position);
        let is_its = policy::concerns(self.subscriber, &event) && self.wants(&event);
        if is_its && !was_done && !self.asked.done_with.contains(&event.id) {
            self.is_whole = false;
            self.owed.push(event);
        } else if self.is_whole {
            self.progress.through = position;
            self.progress.beyond.retain(|beyond| *beyond > position);
        } else if is_its && !was_done {
            self.progress.beyond.push(position);
        }
    }

    fn wants(&self, event: &Event) -> bool {
        let stream = self.progress.stream.as_ref();
        let Some(requested) = stream.and_then(|stream| stream.requested.as_ref()) else {
            return true;
        };
        requested.contains(&set::type_of(self.app.issuer(), event.kind))
    }

    fn gives_anything(&self) -> bool {
        self.most > 0 && (!self.owed.is_empty() || self.progress.verification.is_some())
    }

    fn given(self) -> Polled {
        let stream = self.progress.stream.as_ref();
        if stream.is_some_and(|stream| stream.status != Status::Enabled) {
            return Polled::default();
        }
        let waiting = self.progress.verification.iter();
        let verifying = waiting.map(|waiting| {
            let set = set::verifying(self.app, waiting, self.subscriber);
            (waiting.id, set)
        });
        let owed = self.owed.iter();
        let owed = owed.map(|event| (event.id, set::of(self.app, event, self.subscriber)));
        let mut sets: Vec<_> = verifying.chain(owed).take(self.most + 1).collect();
        let has_more = self.is_unfinished || sets.len() > self.most;
        sets.truncate(self.most);
        Polled { sets, has_more }
    }
}

/// What became of a change to a stream.
#[derive(Debug)]
pub enum StreamOutcome {
    /// The stream as it is now.
    Is(Stream),
    /// There is none of that name.
    Unknown,
    /// There is one already.
    Exists,
}

/// What a receiver wants of a stream that is made.
#[derive(Debug)]
pub struct Wishes {
    /// Event types; `None`: all.
    pub requested: Option<Vec<String>>,
    /// In its words.
    pub description: Option<String>,
    /// How it is given.
    pub delivery: Delivery,
}

/// Makes the receiver's stream; it is given what ends from now on.
pub async fn create(
    app: &App,
    subscriber: &Subscriber,
    wishes: Wishes,
) -> Result<StreamOutcome, StoreError> {
    let head = sequence(app).await?;
    change(app, subscriber, async |tx, mut progress| {
        if progress.stream.is_some() {
            return Ok(StreamOutcome::Exists);
        }
        let stream = Stream {
            id: app.env.random_uuid(),
            status: Status::Enabled,
            reason: None,
            requested: wishes.requested,
            description: wishes.description,
            delivery: wishes.delivery,
        };
        progress.through = progress.through.max(head);
        progress.beyond.clear();
        store::mark_progress(tx, subscriber, &progress).await?;
        store::mark_stream(tx, subscriber, Some(&stream)).await?;
        Ok(StreamOutcome::Is(stream))
    })
    .await
}

/// The receiver's stream, if it has one.
pub async fn find(app: &App, subscriber: &Subscriber) -> Result<Option<Stream>, StoreError> {
    let found = change(app, subscriber, async |_, progress| {
        let stream = progress.stream;
        Ok(stream.map_or(StreamOutcome::Unknown, StreamOutcome::Is))
    });
    Ok(match found.await? {
        StreamOutcome::Is(stream) => Some(stream),
        StreamOutcome::Unknown | StreamOutcome::Exists => None,
    })
}

/// Changes the receiver's stream of that name.
pub async fn alter(
    app: &App,
    subscriber: &Subscriber,
    id: Uuid,
    alter: impl FnOnce(&mut Stream),
) -> Result<StreamOutcome, StoreError> {
    change(app, subscriber, async |tx, progress| {
        let Some(mut stream) = progress.stream.filter(|stream| stream.id == id) else {
            return Ok(StreamOutcome::Unknown);
        };
        alter(&mut stream);
        store::mark_stream(tx, subscriber, Some(&stream)).await?;
        Ok(StreamOutcome::Is(stream))
    })
    .await
}

/// Forgets the receiver's stream of that name.
pub async fn delete(
    app: &App,
    subscriber: &Subscriber,
    id: Uuid,
) -> Result<StreamOutcome, StoreError> {
    change(app, subscriber, async |tx, mut progress| {
        let Some(stream) = progress.stream.take().filter(|stream| stream.id == id) else {
            return Ok(StreamOutcome::Unknown);
        };
        progress.verification = None;
        store::mark_progress(tx, subscriber, &progress).await?;
        store::mark_stream(tx, subscriber, None).await?;
        Ok(StreamOutcome::Is(stream))
    })
    .await
}

/// Has the receiver's stream give a verification event next.
pub async fn verify(
    app: &App,
    subscriber: &Subscriber,
    id: Uuid,
    state: Option<String>,
) -> Result<StreamOutcome, StoreError> {
    change(app, subscriber, async |tx, mut progress| {
        let Some(stream) = progress.stream.clone().filter(|stream| stream.id == id) else {
            return Ok(StreamOutcome::Unknown);
        };
        progress.verification = Some(Verification {
            id: app.env.random_uuid(),
            stream: id,
            state,
        });
        store::mark_progress(tx, subscriber, &progress).await?;
        Ok(StreamOutcome::Is(stream))
    })
    .await
}

async fn change(
    app: &App,
    subscriber: &Subscriber,
    work: impl AsyncFnOnce(&mut Tx<Identity>, Progress) -> Result<StreamOutcome, StoreError>,
) -> Result<StreamOutcome, StoreError> {
    let authority = Authority::job_in(Job::TellRevocations, subscriber.tenant);
    let run = async |tx: &mut Tx<Identity>| {
        let progress = store::hold(tx, subscriber, 0, app.env.now()).await?;
        work(tx, progress).await
    };
    app.db.run(authority, run).await
}
