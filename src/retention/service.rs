//! Forgetting all that is dead, batch by batch.

use time::OffsetDateTime;

use super::model::{CHAINS, Dead, Rule};
use super::store;
use crate::app::App;
use crate::db::{Authority, Job, StoreError};

/// So many rows a transaction at most: each is short, and holds few locks.
pub const BATCH: i32 = 1000;

/// How many rows went from which table; only those from which some did.
pub type Gone = Vec<(&'static str, i64)>;

/// Deletes what is dead now. Repeatable at any moment, on every server at once: each passes by
/// what another has in its hands, and whatever is left is the next run's.
pub async fn purge(app: &App) -> Result<Gone, StoreError> {
    let now = app.env.now();
    let mut all = Gone::new();
    for chain in CHAINS {
        let mut counts = vec![0; chain.len()];
        // The first links of a chain look at the oldest of its last: when that one lets go of
        // nothing more, all of it is done.
        loop {
            let mut last = 0;
            for (rule, count) in chain.iter().zip(&mut counts) {
                last = drain(app, rule, now).await?;
                *count += last;
            }
            if last == 0 {
                break;
            }
        }
        let gone = chain.iter().zip(counts).filter(|(_, count)| *count > 0);
        all.extend(gone.map(|(rule, count)| (rule.table, count)));
    }
    for (table, rows) in &all {
        tracing::info!(table, rows, "purged");
    }
    Ok(all)
}

/// Batches of one rule until one is not full.
async fn drain(app: &App, rule: &Rule, now: OffsetDateTime) -> Result<i64, StoreError> {
    let before = rule.before(&app.config.retention, now);
    let mut all = 0;
    loop {
        let gone = batch(app, rule.what, before).await?;
        all += gone;
        if gone < i64::from(BATCH) {
            return Ok(all);
        }
    }
}

async fn batch(app: &App, what: Dead, before: OffsetDateTime) -> Result<i64, StoreError> {
    match what {
        Dead::Identity(what) => {
            let purge = async |tx: &mut _| store::purge(tx, what, before, BATCH).await;
            app.db.run(Authority::job(Job::Purge), purge).await
        }
        Dead::Apps(what) => {
            let purge = async |tx: &mut _| store::purge_of_apps(tx, what, before, BATCH).await;
            app.db.run(Authority::job(Job::Purge), purge).await
        }
    }
}
