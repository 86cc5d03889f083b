//! What goes on beside the requests. Each is safe to run on every replica at once.

use std::time::Duration;

use tokio::task::JoinSet;

use super::apps;
use crate::app::App;
use crate::http::chain;
use crate::mail;
use crate::oidc::family::sweep as families;

/// The MAC key of contexts lives a day and an hour (`Db::renew_seal_key`).
const SEAL_KEY_RENEWAL: Duration = Duration::from_hours(24);
/// Clocks drift: the process follows the database's.
const CLOCK_READING: Duration = Duration::from_secs(10);
/// A sealed successor is erased so long after it may no longer be given, at the latest.
const SUCCESSOR_ERASURE: Duration = Duration::from_secs(30);
/// Another replica's new signing key is signed with here after this long at the latest.
const RING_RELOAD: Duration = Duration::from_mins(1);
/// Sessions and sign-ins of the apps that nobody can use any more.
const APPS_SWEEP: Duration = Duration::from_mins(10);
/// A clinic made meanwhile has its apps after this long at the latest.
const NEW_CLINICS: Duration = Duration::from_secs(20);

pub(super) fn start(app: &App) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    jobs.spawn(each(SEAL_KEY_RENEWAL, app.clone(), async |app: &App| {
        if let Err(error) = app.db.renew_seal_key(&app.env).await {
            tracing::error!(detail = %chain(&error), "the seal key was not renewed");
        }
    }));
    jobs.spawn(each(RING_RELOAD, app.clone(), async |app: &App| {
        if let Err(error) = app.reload_ring().await {
            tracing::error!(detail = %chain(&error), "the signing keys were not reloaded");
        }
    }));
    jobs.spawn(each(CLOCK_READING, app.clone(), async |app: &App| {
        if let Err(error) = app.db.learn_clock(&app.env).await {
            tracing::warn!(detail = %chain(&error), "the database's clock was not read");
        }
    }));
    jobs.spawn(each(SUCCESSOR_ERASURE, app.clone(), async |app: &App| {
        if let Err(error) = families::erase_successors(app).await {
            tracing::error!(detail = %chain(&error), "spent successors were not erased");
        }
    }));
    jobs.spawn(mail::run(app.clone()));
    if !apps::served(app).is_empty() {
        jobs.spawn(each(APPS_SWEEP, app.clone(), async |app: &App| {
            if let Err(error) = crate::apps::service::sweep(app).await {
                tracing::error!(detail = %chain(&error), "the apps' old rows were not swept");
            }
        }));
    }
    jobs.spawn(apps::follow_clinics(app.clone(), NEW_CLINICS));
    jobs
}

async fn each(period: Duration, app: App, work: impl AsyncFn(&App)) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first tick is at once, and the process has just done it all.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        work(&app).await;
    }
}
