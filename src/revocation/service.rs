//! Giving positions, and what one subscriber asks for outside of the stream.

use std::sync::Arc;

use time::OffsetDateTime;

use super::model::{Event, Fleet, Standing, Subscriber, Verifier};
use super::policy::{self, Kept, MOST_IN_SNAPSHOT};
use super::{set, store};
use crate::app::App;
use crate::db::{Authority, Identity, Job, StoreError, Tx};
use crate::fault::{self, Point};
use crate::signing::service::rules;

/// So many positions a transaction.
const BATCH: i32 = 1000;
/// So many events are read at once.
pub(in crate::revocation) const PAGE: usize = 500;
/// More processes of one client have no row.
const MOST_INSTANCES: i64 = 1000;

fn job() -> Authority<Identity> {
    Authority::job(Job::TellRevocations)
}

/// Gives positions to all that was committed; the last one. Repeatable, on every server at once.
pub async fn sequence(app: &App) -> Result<i64, StoreError> {
    loop {
        let work = async |tx: &mut Tx<Identity>| {
            let (last, moved) = store::sequence(tx, app.env.now(), BATCH).await?;
            if moved > 0 {
                fault::pass(Point::Positioning, "");
            }
            Ok::<_, StoreError>((last, moved))
        };
        let (last, moved): (i64, i64) = app.db.run(job(), work).await?;
        if moved > 0 {
            fault::pass(Point::Positioned, "");
        }
        if moved < i64::from(BATCH) {
            return Ok(last);
        }
    }
}

/// The next events after a position, at most [`PAGE`]; of whomever.
pub(super) async fn page(app: &App, after: i64) -> Result<Vec<Event>, StoreError> {
    let most = i64::try_from(PAGE).expect("a page is small");
    let work = async |tx: &mut Tx<Identity>| store::list_after(tx, after, most).await;
    app.db.run(job().read_only(), work).await
}

/// The same, to be signed then: by the keys as they were after all of it was committed. That a key
/// is withdrawn is not told by that key, nor is anything after it.
pub(super) async fn page_to_sign(app: &App, after: i64) -> Result<Vec<Event>, StoreError> {
    let events = page(app, after).await?;
    if !events.is_empty() {
        app.reload_ring().await?;
    }
    Ok(events)
}

/// What is kept after a cursor.
pub(super) async fn kept(app: &App, cursor: i64) -> Result<Kept, StoreError> {
    let work = async |tx: &mut Tx<Identity>| store::kept(tx, cursor).await;
    app.db.run(job().read_only(), work).await
}

/// All that is in force for a subscriber.
#[derive(Debug)]
pub struct Snapshot {
    /// Everything up to here is in it or is over; the stream goes on after it.
    pub position: i64,
    /// Nothing that ended before then is missing.
    pub complete_at: OffsetDateTime,
    /// Compact JWTs, in the order of their events.
    pub sets: Vec<Arc<str>>,
}

/// What is in force now, at most [`MOST_IN_SNAPSHOT`], oldest first.
pub async fn snapshot(app: &App, subscriber: &Subscriber) -> Result<Snapshot, StoreError> {
    let complete_at = app.env.now();
    let head = sequence(app).await?;
    let since = policy::in_force_since(complete_at, rules(&app.config).longest_token);
    let work = async |tx: &mut Tx<Identity>| store::position_before(tx, since).await;
    let mut position = app.db.run(job().read_only(), work).await?.min(head);
    let mut sets = Vec::new();
    while position < head {
        let events = page_to_sign(app, position).await?;
        if events.is_empty() {
            break;
        }
        for event in events {
            if sets.len() == MOST_IN_SNAPSHOT {
                return Ok(Snapshot {
                    position,
                    complete_at,
                    sets,
                });
            }
            position = event.position;
            if policy::concerns(subscriber, &event) {
                sets.push(set::of(app, &event, subscriber));
            }
        }
    }
    Ok(Snapshot {
        position: position.max(head),
        complete_at,
        sets,
    })
}

/// Writes down what a verifier says of itself; more processes of one client than anybody has are
/// passed over.
pub async fn report(
    app: &App,
    subscriber: &Subscriber,
    standing: &Standing,
) -> Result<(), StoreError> {
    let authority = Authority::job_in(Job::TellRevocations, subscriber.tenant);
    let work = async |tx: &mut Tx<Identity>| {
        let others = store::count_other_standings(tx, subscriber, &standing.instance).await?;
        if others < MOST_INSTANCES {
            store::upsert_standing(tx, subscriber, standing, app.env.now()).await?;
        }
        Ok(())
    };
    app.db.run(authority, work).await
}

/// Every verifier that reported within the last day.
pub async fn verifiers(tx: &mut Tx<Identity>) -> Result<Vec<Verifier>, StoreError> {
    store::list_standings(tx).await
}

/// Counts the verifiers by how they stand. What it finds is measured, too.
pub async fn fleet(app: &App) -> Result<Fleet, StoreError> {
    let now: OffsetDateTime = app.env.now();
    let all = app
        .db
        .run(job().read_only(), async |tx| verifiers(tx).await)
        .await?;
    let mut fleet = Fleet::default();
    for verifier in &all {
        match policy::health(verifier, now) {
            policy::Health::Current => fleet.current += 1,
            policy::Health::Behind => fleet.behind += 1,
            policy::Health::Silent => fleet.silent += 1,
        }
        let lag = verifier.standing.lag_milliseconds.unwrap_or_default();
        fleet.longest_lag = fleet.longest_lag.max(lag);
    }
    app.feed.note_fleet(fleet);
    Ok(fleet)
}
