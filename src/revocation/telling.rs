//! One subscriber, while it is told: from where it was, in order, as it ends.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use super::feed::{Place, Seen};
use super::model::{Event, Subscriber};
use super::{policy, service, set};
use crate::app::App;
use crate::db::{StoreError, chain};
use crate::fault::{self, Point};

/// So often a subscriber hears that it knows everything.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Then it has to come back: a client that was disabled is told no longer than that.
const LONGEST: Duration = Duration::from_mins(10);
/// Who takes nothing for so long is cut off, and may come back.
const TOO_SLOW: Duration = Duration::from_secs(10);
/// Bytes of sets that are handed over at a time.
const CHUNK: usize = 32 * 1024;

/// What a subscriber is told. Each has the position up to which it knows everything then, and names
/// the one before it: one that was lost on the way shows.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// Something ended.
    Set {
        /// Its position.
        position: i64,
        /// Of what was told before, or where it began.
        previous: i64,
        /// The signed SET.
        set: Arc<str>,
    },
    /// Everything up to here was told.
    UpToDate {
        /// The last position that was given.
        position: i64,
        /// As a set's.
        previous: i64,
        /// Nothing that ended before then is missing.
        issuer_time: OffsetDateTime,
    },
    /// What is missing is kept no more: a snapshot is needed. The last that is told.
    SnapshotRequired,
}

/// Tells `subscriber` what comes after a position, until it or the process goes.
///
/// - `after`: where it is; `None`: from now on
///
/// # Errors
/// [`StoreError`]: it can't be told from where.
pub(crate) async fn begin(
    app: &App,
    subscriber: Subscriber,
    place: Place,
    after: Option<i64>,
) -> Result<mpsc::Receiver<Vec<Told>>, StoreError> {
    let (cursor, may_go_on) = match after {
        Some(cursor) => {
            let kept = service::kept(app, cursor).await?;
            (cursor, policy::may_resume(cursor, kept, app.env.now()))
        }
        // What was committed before has a position first.
        None => (service::sequence(app).await?, true),
    };
    let (to, told) = mpsc::channel(1);
    if may_go_on {
        let telling = Telling {
            app: app.clone(),
            subscriber,
            cursor,
            before: cursor,
            to,
            seen: app.feed.seen(),
            _place: place,
        };
        tokio::spawn(telling.run());
    } else {
        // It ends with that: the sender is dropped here.
        let _ = to.try_send(vec![Told::SnapshotRequired]);
    }
    Ok(told)
}

#[derive(Debug)]
struct Telling {
    app: App,
    subscriber: Subscriber,
    /// Everything up to here was told, or does not concern it.
    cursor: i64,
    /// The position of what was told last, for what is told next.
    before: i64,
    to: mpsc::Sender<Vec<Told>>,
    seen: watch::Receiver<Seen>,
    _place: Place,
}

/// The other end is gone, or too slow.
struct Cut;

impl Telling {
    async fn run(mut self) {
        let ends_at = Instant::now() + LONGEST;
        let mut is_over = self.app.feed.is_over();
        let mut ticks = interval(HEARTBEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let gone = self.to.clone();
        tokio::select! {
            Cut = self.go_on(&mut ticks) => {}
            _ = is_over.wait_for(|is_over| *is_over) => {}
            () = gone.closed() => {}
            () = sleep_until(ends_at) => {}
        }
    }

    async fn go_on(&mut self, ticks: &mut Interval) -> Cut {
        let mut owes_heartbeat = false;
        loop {
            // Read first: all of it is there by now.
            let seen = *self.seen.borrow_and_update();
            if let Err(cut) = self.catch_up().await {
                return cut;
            }
            if owes_heartbeat && let Some(complete_at) = seen.complete_at() {
                owes_heartbeat = false;
                let beat = self.heartbeat(seen.head, complete_at);
                if let Err(cut) = self.send(vec![beat]).await {
                    return cut;
                }
            }
            tokio::select! {
                _ = self.seen.changed() => {}
                _ = ticks.tick() => {
                    owes_heartbeat = true;
                    self.app.feed.read(&self.app);
                }
            }
        }
    }

    /// Tells all that is there.
    async fn catch_up(&mut self) -> Result<(), Cut> {
        loop {
            let events = match self.app.feed.after(self.cursor) {
                Some(events) => events,
                None => self.older().await?,
            };
            if events.is_empty() {
                return Ok(());
            }
            let (mut chunk, mut bytes) = (Vec::new(), 0);
            for event in &events {
                self.cursor = event.position;
                if policy::concerns(&self.subscriber, event) {
                    let set = set::of(&self.app, event, &self.subscriber);
                    bytes += set.len();
                    chunk.push(self.told(event.position, set));
                }
                if bytes >= CHUNK {
                    bytes = 0;
                    fault::pass(Point::Telling, "");
                    self.send(std::mem::take(&mut chunk)).await?;
                }
            }
            if !chunk.is_empty() {
                fault::pass(Point::Telling, "");
                self.send(chunk).await?;
            }
        }
    }

    /// What was published before the reader began, or is kept in memory no more.
    async fn older(&mut self) -> Result<Vec<Arc<Event>>, Cut> {
        let read: Result<_, StoreError> = service::page_to_sign(&self.app, self.cursor).await;
        match read {
            Ok(events) if events.is_empty() => Err(Cut),
            Ok(events) => Ok(events.into_iter().map(Arc::new).collect()),
            Err(error) => {
                tracing::warn!(detail = %chain(&error), "a subscriber can't be told the past");
                Err(Cut)
            }
        }
    }

    fn told(&mut self, position: i64, set: Arc<str>) -> Told {
        Told::Set {
            position,
            previous: std::mem::replace(&mut self.before, position),
            set,
        }
    }

    fn heartbeat(&mut self, head: i64, issuer_time: OffsetDateTime) -> Told {
        self.cursor = self.cursor.max(head);
        Told::UpToDate {
            position: self.cursor,
            previous: std::mem::replace(&mut self.before, self.cursor),
            issuer_time,
        }
    }

    async fn send(&self, told: Vec<Told>) -> Result<(), Cut> {
        match timeout(TOO_SLOW, self.to.send(told)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Cut),
        }
    }
}
