//! The fan-out of one process: one reader of the table, and every subscriber from what it read.
//!
//! The reader is there while somebody is told. A subscriber has no queue: it takes from what is
//! kept, at its own pace; who takes nothing for a while is cut off and may come back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::Instant;

use super::model::{Event, Fleet, Kind};
use super::places::{Places, Taking};
use super::service;
use crate::app::App;
use crate::db::{Listening, StoreError, chain};
use crate::ids::ClientId;

/// Subscribers of one process.
const MOST_SUBSCRIBERS: usize = 1000;
/// An API has a stream for each of its own processes. Ten such clients together still find places.
const MOST_SUBSCRIBERS_OF_A_CLIENT: usize = 100;
/// A poll that waits takes a seat from other requests all the while, whether or not its client is
/// still there: in all they have one of so many seats.
const SEATS_FOR_ONE_THAT_WAITS: u32 = 8;
/// More than so many in any case are not needed: who waits is there for receivers, which are few.
const MOST_WAITING: u32 = 32;
/// One that asks, and the one before it, which its client has left.
const MOST_WAITING_OF_A_CLIENT: usize = 2;
/// Events that are kept in memory; who is further behind reads the table for itself.
const MOST_KEPT: usize = 10_000;
/// What the triggers and the sequencer wake us by.
const CHANNELS: &[&str] = &["lanyard_revocation", "lanyard_revocation_published"];
/// Without having heard anything it is looked so often, so that "nothing new" stays true.
const UNHEARD: Duration = Duration::from_secs(1);
/// The same where nothing can be heard.
const DEAF: Duration = Duration::from_millis(100);
/// "Nothing new" is believed for so long.
const CONFIRMED_FOR: Duration = Duration::from_secs(3);

/// What the reader knows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Everything up to here is in [`Feed::after`].
    pub(super) head: i64,
    /// When the database said so: as time goes by here, and by the issuer's clock.
    confirmed_at: Option<(Instant, OffsetDateTime)>,
}

impl Seen {
    /// When the head was the last, if that is still believed.
    pub(super) fn complete_at(self) -> Option<OffsetDateTime> {
        let (here, at) = self.confirmed_at?;
        (here.elapsed() < CONFIRMED_FOR).then_some(at)
    }
}

#[derive(Debug, Default)]
struct State {
    /// Who reads; `None`: nobody. Each reader has a number of its own.
    reader: Option<u64>,
    readers: u64,
    /// Everything after this position is in `kept`.
    base: i64,
    kept: VecDeque<Arc<Event>>,
    told: u64,
    fleet: Fleet,
}

/// Somebody is told: as long as this is there, so is a reader.
#[derive(Debug)]
pub(crate) struct Place {
    _among: Option<Taking>,
    _own: Option<Arc<()>>,
}

/// What this process tells its subscribers from.
#[derive(Debug)]
pub struct Feed {
    state: Mutex<State>,
    seen: watch::Sender<Seen>,
    is_begun: watch::Sender<bool>,
    is_over: watch::Sender<bool>,
    subscribers: Arc<Places>,
    waiting: Arc<Places>,
    /// Held once more by each place of the process's own API.
    own: Arc<()>,
}

impl Feed {
    /// The feed of a process that answers so many requests at once.
    pub fn beside(seats: u32) -> Self {
        let waiting = (seats / SEATS_FOR_ONE_THAT_WAITS).clamp(1, MOST_WAITING);
        Self {
            state: Mutex::default(),
            seen: watch::Sender::new(Seen::default()),
            is_begun: watch::Sender::new(false),
            is_over: watch::Sender::new(false),
            own: Arc::default(),
            subscribers: Places::new(MOST_SUBSCRIBERS, MOST_SUBSCRIBERS_OF_A_CLIENT),
            waiting: Places::new(waiting as usize, MOST_WAITING_OF_A_CLIENT),
        }
    }

    /// Lets the process's own API follow: it serves. Until then that API asks the database about
    /// each token.
    pub fn begin(&self) {
        self.is_begun.send_replace(true);
    }

    /// Resolves when the process serves.
    pub(crate) async fn begun(&self) {
        // Its sender is this feed's, which is there.
        let _ = self
            .is_begun
            .subscribe()
            .wait_for(|is_begun| *is_begun)
            .await;
    }

    /// Ends every stream: the process goes.
    pub fn end(&self) {
        self.is_over.send_replace(true);
    }

    /// How many are told now, and how many events were read for them so far.
    pub fn load(&self) -> (usize, u64) {
        let told = self.state().told;
        (self.subscribers.count() + self.waiting.count(), told)
    }

    /// The verifiers as they were last counted.
    pub fn fleet(&self) -> Fleet {
        self.state().fleet
    }

    pub(super) fn note_fleet(&self, fleet: Fleet) {
        self.state().fleet = fleet;
    }

    /// A place among the subscribers for one of that client's, if there is one, with a reader at
    /// work.
    pub(super) fn join(&self, app: &App, client: &ClientId) -> Option<Place> {
        self.place(app, &self.subscribers, client)
    }

    /// The same among those who wait for an answer.
    pub(super) fn wait(&self, app: &App, client: &ClientId) -> Option<Place> {
        self.place(app, &self.waiting, client)
    }

    fn place(&self, app: &App, places: &Arc<Places>, client: &ClientId) -> Option<Place> {
        let among = places.take(client)?;
        self.read(app);
        Some(Place {
            _among: Some(among),
            _own: None,
        })
    }

    /// The same for the process's own API, which no number of subscribers keeps out; `None` when
    /// the process goes.
    pub(crate) fn join_as_own(&self, app: &App) -> Option<Place> {
        if *self.is_over.borrow() {
            return None;
        }
        let own = Arc::clone(&self.own);
        self.read(app);
        Some(Place {
            _among: None,
            _own: Some(own),
        })
    }

    /// Sees to it that there is a reader.
    pub(super) fn read(&self, app: &App) {
        let mut state = self.state();
        if state.reader.is_none() {
            state.readers += 1;
            state.reader = Some(state.readers);
            let app = app.clone();
            tokio::spawn(follow(Reader {
                app,
                number: state.readers,
            }));
        }
    }

    /// What the reader knows, as it learns it.
    pub(super) fn seen(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    /// Whether the process goes, as it is told.
    pub(super) fn is_over(&self) -> watch::Receiver<bool> {
        self.is_over.subscribe()
    }

    /// The next events after a cursor, some at a time; `None`: they are not kept.
    pub(super) fn after(&self, cursor: i64) -> Option<Vec<Arc<Event>>> {
        let state = self.state();
        if cursor < state.base {
            return None;
        }
        let from = state.kept.partition_point(|event| event.position <= cursor);
        let next = state.kept.iter().skip(from).take(service::PAGE);
        Some(next.cloned().collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic happens under this lock")
    }

    fn begin_at(&self, head: i64) {
        let mut state = self.state();
        state.base = head;
        state.kept.clear();
    }

    fn keep(&self, events: Vec<Event>) {
        let mut state = self.state();
        state.told += events.len() as u64;
        state.kept.extend(events.into_iter().map(Arc::new));
        while state.kept.len() > MOST_KEPT
            && let Some(oldest) = state.kept.pop_front()
        {
            state.base = oldest.position;
        }
    }

    /// Whether nobody is told any more; then there is no reader from now on.
    fn is_deserted(&self) -> bool {
        let mut state = self.state();
        let nobody = self.subscribers.count() == 0
            && self.waiting.count() == 0
            && Arc::strong_count(&self.own) == 1;
        if nobody {
            state.reader = None;
        }
        nobody || *self.is_over.borrow()
    }
}

/// However it ends, the next subscriber finds that there is none.
struct Reader {
    app: App,
    number: u64,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.app.feed.state();
        if state.reader == Some(self.number) {
            state.reader = None;
        }
    }
}

async fn follow(reader: Reader) {
    let app = &reader.app;
    let mut listening: Option<Listening> = None;
    let mut at: Option<i64> = None;
    while !app.feed.is_deserted() {
        // Before it looks: what is committed in between is heard.
        if listening.is_none() {
            listening = hear(app).await;
        }
        if let Err(error) = look(app, &mut at).await {
            tracing::warn!(detail = %chain(&error), "what ended can't be read: nobody is told");
        }
        let deaf = match &mut listening {
            None => {
                tokio::time::sleep(DEAF).await;
                continue;
            }
            Some(ear) => {
                let heard = tokio::time::timeout(UNHEARD, ear.heard()).await;
                heard == Ok(false)
            }
        };
        if deaf {
            listening = None;
        }
    }
}

async fn hear(app: &App) -> Option<Listening> {
    match app.db.listen(CHANNELS).await {
        Ok(listening) => Some(listening),
        Err(error) => {
            tracing::warn!(detail = %chain(&error), "ends are looked for: none is heard of");
            None
        }
    }
}

/// Gives positions, and reads what has one.
///
/// - `at`: up to where it was read; `None` at first
async fn look(app: &App, at: &mut Option<i64>) -> Result<(), StoreError> {
    let confirmed_at = (Instant::now(), app.env.now());
    let head = service::sequence(app).await?;
    let mut read = if let Some(at) = *at {
        at
    } else {
        // What ended before is not read: a key may be among it.
        app.reload_ring().await?;
        app.feed.begin_at(head);
        *at.insert(head)
    };
    loop {
        let events = service::page(app, read).await?;
        let Some(last) = events.last() else { break };
        // That a key is withdrawn is not told by that key.
        if events.iter().any(|event| event.kind == Kind::Key)
            && let Err(error) = app.reload_ring().await
        {
            tracing::warn!(detail = %chain(&error), "the signing keys can't be read");
            return Ok(());
        }
        read = last.position;
        app.feed.keep(events);
        *at = Some(read);
    }
    // A process whose own keys are in doubt has nothing to say.
    if app.ring_doubt().await.is_none() {
        let confirmed_at = Some(confirmed_at);
        let head = read.max(head);
        app.feed.seen.send_replace(Seen { head, confirmed_at });
    }
    Ok(())
}
