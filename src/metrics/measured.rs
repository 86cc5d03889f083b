//! What is not counted as it happens but read when it is asked for.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use super::series::Series;
use crate::app::App;
use crate::db::Tally;
use crate::revocation::policy::Health;
use crate::signing::Alg;

/// To what was counted elsewhere; only ever up.
fn move_up(counter: &Counter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

fn turns(series: &Series, kind: &'static str, tally: Tally) {
    let kind = ("kind", kind);
    move_up(&series.turns.get_or_create(&[kind]), tally.turns);
    for (outcome, count) in [("done", tally.done), ("slower", tally.slower)] {
        let labels = [kind, ("outcome", outcome)];
        move_up(&series.turn_requests.get_or_create(&labels), count);
    }
}

fn revocations(series: &Series, app: &App) {
    let (subscribers, read) = app.feed.load();
    let subscribers = i64::try_from(subscribers).unwrap_or(i64::MAX);
    series.subscribers.set(subscribers);
    move_up(&series.revocations, read);
    let fleet = app.feed.fleet();
    for (health, count) in [
        (Health::Current, fleet.current),
        (Health::Behind, fleet.behind),
        (Health::Silent, fleet.silent),
    ] {
        let labels = [("standing", health.word())];
        series.verifiers.get_or_create(&labels).set(count);
    }
    let lag = Duration::from_millis(u64::try_from(fleet.longest_lag).unwrap_or_default());
    series.verifier_lag.set(lag.as_secs_f64());
}

fn sinks(series: &Series, app: &App) {
    let (well, failing) = app.sinks.sinks();
    for (standing, count) in [("well", well), ("failing", failing)] {
        let labels = [("standing", standing)];
        series.sinks.get_or_create(&labels).set(count);
    }
    let (behind, age) = app.sinks.lag(app.env.now());
    series.sink_behind.set(behind);
    series.sink_oldest.set(age.whole_seconds());
}

pub(super) fn measure(series: &Series, app: &App) {
    for pool in app.db.pools() {
        let plane = ("plane", pool.plane);
        let level = |state| series.pool.get_or_create(&[plane, ("state", state)]);
        level("idle").set(pool.idle.into());
        level("used").set(i64::from(pool.open.saturating_sub(pool.idle)));
        let plane = [plane];
        series.pool_most.get_or_create(&plane).set(pool.most.into());
        let waiting = series.pool_waiting.get_or_create(&plane);
        waiting.set(i64::try_from(pool.waiting).unwrap_or(i64::MAX));
        move_up(&series.pool_begun.get_or_create(&plane), pool.begun);
        move_up(&series.pool_refused.get_or_create(&plane), pool.refused);
        let waited = series.pool_waited.get_or_create(&plane);
        waited.inc_by((pool.waited.as_secs_f64() - waited.get()).max(0.0));
    }
    turns(series, "rotation", app.rotations.tally());
    turns(series, "authorization", app.issues.tally());
    turns(series, "redemption", app.redemptions.tally());
    let ring = app.ring();
    for alg in Alg::ALL {
        let since = series.signing_since.get_or_create(&[("alg", alg.name())]);
        since.set(ring.current_since(alg).unix_timestamp());
    }
    let age = app.anchoring.age(app.env.now());
    series.anchor_age.set(age.whole_seconds());
    let (waiting, age) = app.post.waiting(app.env.now());
    series.outbox_waiting.set(waiting);
    series.outbox_oldest.set(age.whole_seconds());
    sinks(series, app);
    revocations(series, app);
    let (running, waiting) = app.hasher.load();
    let hashing = |state, n: usize| {
        let level = series.hashing.get_or_create(&[("state", state)]);
        level.set(i64::try_from(n).unwrap_or(i64::MAX));
    };
    hashing("running", running);
    hashing("waiting", waiting);
    move_up(&series.hashed, app.hasher.computed());
}
