//! `lanyard serve`: check everything, listen, and end in order.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use serde_json::{Map, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::migrate;
use super::output::{Failure, Output, Reply};
use super::site::{self, Reached, Site, runtime};
use crate::app::App;
use crate::config::{Config, LogFormat, PlaneName};
use crate::db::migrate::LOGINS;
use crate::db::{Db, StoreError};
use crate::env::DatabaseClock;
use crate::http::{self, chain};
use crate::secret::Keys;

/// How long answers under way are waited for at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// A machine whose clock is further off its database's is not served from (attacks CFG-01).
const MAX_CLOCK_DIFFERENCE: time::Duration = time::Duration::minutes(5);
const SEAL_KEY_RENEWAL: Duration = Duration::from_hours(24);
const HOUSEKEEPING: Duration = Duration::from_mins(1);

pub(super) fn run(site: &Site, migrate: bool, output: Output) -> Result<Reply, Failure> {
    begin_log(&site.config)?;
    let master = site.master()?;
    let keys = Keys::derive(&master);
    let reached = site.start(master)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(serve(site, &reached, keys, migrate, output));
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
    Ok(())
}

async fn serve(
    site: &Site,
    reached: &Reached,
    keys: Keys,
    migrate: bool,
    output: Output,
) -> Result<Reply, Failure> {
    if migrate && reached.is_behind().await? {
        let done = migrate::bring_up(site, reached, &keys).await?;
        output.say(&done.reply(&reached.name));
    }
    reached.refuse_older_schema().await?;
    let db = reached.open(site, site.config.database.connections).await?;
    refuse_unsafe(&db).await?;
    refuse_other_time(site)?;
    let app = App::new(site.config.clone(), site.env.clone(), db, keys)
        .await
        .map_err(|e| Failure::refused(chain(&e), "Is this the master key of this database?"))?;
    let faces = faces(&app).await.map_err(|e| site::store(&e))?;
    let mut server = Server::default();
    let mut listening = Map::new();
    for (name, addresses, router) in faces {
        let bound = server.listen(name, &addresses, &router).await?;
        listening.insert(name.to_owned(), json!(bound));
    }
    output.say(&ready(&app, reached, &listening));
    let chores = tokio::spawn(chores(app.clone()));
    let why = tokio::select! {
        signal = a_signal() => signal.map(|name| tracing::info!(name, "ending")),
        how = reached.ended() => Err(Failure::failed(
            format!("the private cluster has ended: {how}"),
            "Its log is in the state directory. Start again.",
        )),
    };
    chores.abort();
    server.end().await;
    app.db.close().await;
    why.map(|()| Reply::new(&json!({ "event": "ended" }), ""))
}

/// Roles, rights and the seal, as the database has them now.
async fn refuse_unsafe(db: &Db) -> Result<(), Failure> {
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

fn refuse_other_time(site: &Site) -> Result<(), Failure> {
    let difference = (site.env.now() - DatabaseClock::machine_now()).abs();
    if difference > MAX_CLOCK_DIFFERENCE {
        return Err(Failure::refused(
            format!(
                "this machine's clock is {} s off its database's",
                difference.whole_seconds()
            ),
            "Set both by a time server: tokens are worth what their clocks are.",
        ));
    }
    Ok(())
}

/// What is served: its name, its addresses, its routes.
type Face = (&'static str, Vec<SocketAddr>, Router);

/// Everything that this process serves.
async fn faces(app: &App) -> Result<Vec<Face>, StoreError> {
    let config = &app.config;
    let mut faces = Vec::new();
    if config.planes.serve(PlaneName::Identity) || config.planes.serve(PlaneName::Tenant) {
        faces.push((
            "issuer",
            config.listen.issuer.clone(),
            http::issuer(app).await?,
        ));
    }
    let operations = http::operations::operations(app);
    faces.push(("operations", config.listen.operations.clone(), operations));
    Ok(faces)
}

fn ready(app: &App, reached: &Reached, listening: &Map<String, serde_json::Value>) -> Reply {
    let facts = json!({
        "event": "ready",
        "issuer": app.issuer(),
        "planes": app.config.planes.to_string(),
        "database": reached.name,
        "roles": LOGINS,
        "listening": listening,
    });
    let line = |(name, addresses): (&String, &serde_json::Value)| {
        let addresses: Vec<_> = addresses
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|a| a.as_str())
            .collect();
        format!("  {name:<11} {}\n", addresses.join(", "))
    };
    let lines: String = listening.iter().map(line).collect();
    let text = format!(
        "Lanyard serves {}\n{lines}  database    {}\n  roles       {}\n",
        app.issuer(),
        reached.name,
        LOGINS.join(", "),
    );
    Reply::new(&facts, text)
}

async fn a_signal() -> Result<&'static str, Failure> {
    let listen = |kind| {
        signal(kind)
            .map_err(|e| Failure::failed(format!("signals can't be heard: {e}"), "Try again."))
    };
    let (mut terminate, mut interrupt) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// What must be done now and then while we serve.
async fn chores(app: App) {
    let mut minute = tokio::time::interval(HOUSEKEEPING);
    let mut renewed_at = std::time::Instant::now();
    loop {
        minute.tick().await;
        if let Err(e) = app.db.learn_clock(&app.env).await {
            tracing::warn!(detail = %chain(&e), "the database's clock can't be read");
        }
        if let Err(e) = app.reload_ring().await {
            tracing::warn!(detail = %chain(&e), "the signing keys can't be read again");
        }
        if renewed_at.elapsed() >= SEAL_KEY_RENEWAL {
            match app.db.renew_seal_key(&app.env).await {
                Ok(()) => renewed_at = std::time::Instant::now(),
                Err(e) => tracing::warn!(detail = %chain(&e), "the seal key can't be renewed"),
            }
        }
    }
}

/// Every listener of the process, and how they are told to end.
struct Server {
    tasks: JoinSet<()>,
    end: watch::Sender<bool>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            tasks: JoinSet::new(),
            end: watch::Sender::new(false),
        }
    }
}

impl Server {
    /// Serves `router` on each address; one that this machine lacks is left out, if another stays.
    async fn listen(
        &mut self,
        face: &str,
        addresses: &[SocketAddr],
        router: &Router,
    ) -> Result<Vec<String>, Failure> {
        let mut bound = Vec::new();
        for address in addresses {
            let listener = match TcpListener::bind(address).await {
                Ok(listener) => listener,
                Err(e) if is_absent(&e) && addresses.len() > 1 => {
                    tracing::warn!(%address, face, "this machine has no such address");
                    continue;
                }
                Err(e) => {
                    return Err(Failure::failed(
                        format!("{address} can't be listened on for {face}: {e}"),
                        "Does another process have it? Choose another address or end that one.",
                    ));
                }
            };
            let here = listener.local_addr().unwrap_or(*address);
            bound.push(here.to_string());
            let service = router
                .clone()
                .into_make_service_with_connect_info::<SocketAddr>();
            let mut end = self.end.subscribe();
            self.tasks.spawn(async move {
                let ending = async move {
                    let _ = end.wait_for(|end| *end).await;
                };
                if let Err(e) = axum::serve(listener, service)
                    .with_graceful_shutdown(ending)
                    .await
                {
                    tracing::error!(%here, error = %e, "a listener ended");
                }
            });
        }
        if bound.is_empty() {
            return Err(Failure::failed(
                format!("this machine has none of the addresses of {face}"),
                "Choose others.",
            ));
        }
        Ok(bound)
    }

    /// Lets answers under way finish, for a while.
    async fn end(mut self) {
        self.end.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_ANSWERS, all).await.is_err() {
            tracing::warn!("some answers were not finished in time");
        }
    }
}

/// A machine without IPv6 has no `[::1]`.
fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, Unsupported};
    matches!(error.kind(), AddrNotAvailable | Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}
