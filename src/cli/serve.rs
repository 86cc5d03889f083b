//! `lanyard serve`: check everything, listen, and end in order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;

use super::backup;
use super::migrate;
use super::output::{Failure, Output, Reply};
use super::site::{self, Reached, Site, runtime_of};
use crate::app::App;
use crate::config::{Config, LogFormat};
use crate::db::Db;
use crate::db::migrate::LOGINS;
use crate::env::DatabaseClock;
use crate::http::chain;
use crate::keys::MasterKeys;
use crate::keys::epoch::{self, EpochError, Mark};
use crate::server::{self, Leaving, ServeError};

/// A restore of what is older than this is always noticed.
const CHECKPOINTS: Duration = Duration::from_mins(1);
/// A machine whose clock is further off its database's is not served from (attacks CFG-01).
const MAX_CLOCK_DIFFERENCE: time::Duration = time::Duration::minutes(5);

pub(super) fn run(site: &Site, migrate: bool, output: Output) -> Result<Reply, Failure> {
    begin_log(&site.config)?;
    let master = site.master()?;
    let reached = site.start(&master)?;
    let runtime = runtime_of(&site.config.limits)?;
    let outcome = runtime.block_on(serve(site, &reached, master, migrate, output));
    // What still runs may hold connections: it ends before the cluster does.
    runtime.shutdown_timeout(Duration::from_secs(1));
    reached.leave();
    outcome
}

/// Everything that `serve` logs goes to standard error; standard output holds answers.
pub(super) fn begin_log(config: &Config) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log.filter)
        .map_err(|e| Failure::refused(format!("log.filter: {e}"), "Mend it."))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
    // What a panic says may hold what it broke on (attacks CFG-02): the log has the place.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "panicked");
    }));
    Ok(())
}

async fn serve(
    site: &Site,
    reached: &Reached,
    master: Arc<MasterKeys>,
    migrate: bool,
    output: Output,
) -> Result<Reply, Failure> {
    if migrate && reached.is_behind().await? {
        let done = migrate::bring_up(site, reached, &master).await?;
        output.say(&done.reply(&reached.name));
    }
    reached.refuse_older_schema().await?;
    let db = reached.open(site, site.config.database.connections).await?;
    refuse_unsafe(&db).await?;
    refuse_other_time(site.env.now(), DatabaseClock::machine_now())?;
    let mark = epoch::check_in(&db, &site.config.keys_dir).await;
    let mark = mark.map_err(|e| backup::behind(&e))?;
    let keys = reached.open_keys(site, &db, master).await?;
    let app = App::new(site.config.clone(), site.env.clone(), db, keys)
        .await
        .map_err(|e| site::ring(&e))?;
    let leaving = Leaving::default();
    let faces = server::faces(&app, &leaving).await;
    let mut faces = faces.map_err(|e| not_served(&e))?;
    faces.extend(server::app_faces(&app).await.map_err(|e| not_served(&e))?);
    let bound = server::bind(&app, faces).await;
    let bound = bound.map_err(|e| not_served(&e))?;
    let asked = server::asked_to_stop();
    output.say(&ready(&app, reached, bound.addresses()));
    let end = server::serve(&app, bound, &leaving, async {
        let end = tokio::select! {
            () = asked => End::Asked,
            how = reached.ended() => End::ClusterGone(how),
            why = count_checkpoints(&app, mark) => End::Behind(why),
        };
        tracing::info!(?end, "ending");
        end
    });
    let end = end.await;
    app.db.close().await;
    match end {
        End::Asked => Ok(Reply::new(&json!({ "event": "ended" }), "")),
        End::Behind(why) => Err(Failure::refused(
            why,
            "It was restored while it was served. `lanyard recover --restored` voids what came \
             back.",
        )),
        End::ClusterGone(how) => Err(Failure::failed(
            format!("the private cluster has ended: {how}"),
            "Its log is in the state directory. Start again.",
        )),
    }
}

/// Why a server ends.
#[derive(Clone, Debug)]
enum End {
    Asked,
    ClusterGone(String),
    Behind(String),
}

/// Counts as long as the process serves, so that a database that is put back is known by its
/// count; resolves when this one is.
async fn count_checkpoints(app: &App, mut last: Mark) -> String {
    loop {
        tokio::time::sleep(CHECKPOINTS).await;
        match epoch::count(&app.db, &app.config.keys_dir, last).await {
            Ok(mark) => last = mark,
            Err(error @ EpochError::Behind { .. }) => return error.to_string(),
            Err(error) => tracing::error!(detail = %chain(&error), "no checkpoint was written"),
        }
    }
}

fn not_served(error: &ServeError) -> Failure {
    match error {
        ServeError::Listen { .. } => Failure::failed(
            chain(error),
            "Does another process have that address? End it, or choose another one.",
        ),
        ServeError::Store(e) => site::store(e),
        ServeError::Apps(_) => Failure::refused(
            chain(error),
            "Is this the master key of this database? An app is turned off by an empty listen.",
        ),
        ServeError::Tls(_) => Failure::refused(
            chain(error),
            "Mend tls.cert_file and tls.key_file: a chain and its key, both in PEM.",
        ),
    }
}

/// Roles, rights and the seal, as the database has them now.
pub(super) async fn refuse_unsafe(db: &Db) -> Result<(), Failure> {
    let standing = db.standing().await.map_err(|e| site::store(&e))?;
    if let Some(first) = standing.refusals().next() {
        let count = standing.refusals().count();
        return Err(Failure::refused(
            format!(
                "this database is not safe to serve from: {} ({count} in all)",
                first.what
            ),
            format!("{} `lanyard doctor` shows everything.", first.remedy),
        ));
    }
    for finding in &standing.findings {
        tracing::warn!(
            what = finding.what,
            cost = finding.cost,
            "the host does not allow this"
        );
    }
    Ok(())
}

fn refuse_other_time(databases: OffsetDateTime, machines: OffsetDateTime) -> Result<(), Failure> {
    let difference = (databases - machines).abs();
    if difference <= MAX_CLOCK_DIFFERENCE {
        return Ok(());
    }
    Err(Failure::refused(
        format!(
            "this machine's clock is {} s off its database's",
            difference.whole_seconds()
        ),
        "Set both by a time server: tokens are worth what their clocks are.",
    ))
}

fn ready(app: &App, reached: &Reached, addresses: &[(&'static str, SocketAddr)]) -> Reply {
    let mut listening: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (face, address) in addresses {
        listening.entry(face).or_default().push(address.to_string());
    }
    let line = |(face, addresses): (&&str, &Vec<String>)| {
        format!("  {face:<11} {}\n", addresses.join(", "))
    };
    let lines: String = listening.iter().map(line).collect();
    let text = format!(
        "Lanyard serves {}\n{lines}  database    {}\n  roles       {}\n",
        app.issuer(),
        reached.name,
        LOGINS.join(", "),
    );
    let facts = json!({
        "event": "ready",
        "issuer": app.issuer(),
        "planes": app.config.planes.to_string(),
        "database": reached.name,
        "roles": LOGINS,
        "listening": listening,
    });
    Reply::new(&facts, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CFG-01: a clock more than five minutes off the database's is not served from.
    #[test]
    fn a_machine_of_another_time_does_not_serve() {
        let noon = time::macros::datetime!(2026-03-02 12:00 UTC);
        let five = time::Duration::minutes(5);
        for near in [noon, noon + five, noon - five] {
            assert!(refuse_other_time(noon, near).is_ok());
        }
        let second = time::Duration::seconds(1);
        for far in [noon + five + second, noon - five - second] {
            assert!(refuse_other_time(noon, far).is_err());
        }
    }
}
