//! Where a command works: its configuration, keys and database.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use sqlx::postgres::PgConnectOptions;

use super::operator::Operator;
use super::output::{Failure, Reply};
use crate::config::{Config, ConfigError, Database, Effective, FILE_VARIABLE, Given, Limits};
use crate::db::embedded::{self, Attached, Cluster, EmbeddedError, privilege};
use crate::db::migrate::{self, MigrationError};
use crate::db::{Connect, Db, Logins, StoreError};
use crate::env::Env;
use crate::http::chain;
use crate::keys::{self, KeysError, MasterKeys};
use crate::secret::Keys;
use crate::signing::ring::KeyRingError;

/// Configuration and environment of a command. As root it goes on as the system user.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) config: Config,
    pub(super) env: Env,
}

impl Site {
    /// Reads the configuration; as root, goes on as the system user: nothing is done as root.
    pub(super) fn enter(given: &Given) -> Result<Self, Failure> {
        let config = configuration(given)?.into_config();
        drop_root(given, &config)?;
        Ok(Self::of(config))
    }

    /// On a configuration that is settled, by somebody who is not root.
    pub(super) fn of(config: Config) -> Self {
        Self {
            config,
            env: Env::system(),
        }
    }

    /// Where the master key lies.
    pub(super) fn master_path(&self) -> PathBuf {
        self.config.keys_dir.join("master.key")
    }

    /// The master key; every command that looks into the database needs it.
    pub(super) fn master(&self) -> Result<Arc<MasterKeys>, Failure> {
        crate::demo::state::refuse_outside(&self.config)
            .map_err(|e| Failure::refused(e.to_string(), "Set another state_dir and keys_dir."))?;
        let loaded = MasterKeys::load(&self.config.keys_dir);
        let master = loaded.map_err(|e| no_master(&e))?;
        if master.has_a_demos() && !self.config.is_demo {
            return Err(Failure::refused(
                format!(
                    "the master key in {} was made for a demo",
                    self.config.keys_dir.display()
                ),
                "Whoever saw that demo may know it. Make one for this deployment: \
                 `lanyard keys init` in another keys_dir.",
            ));
        }
        Ok(Arc::new(master))
    }

    /// How the serving roles log in to a server of one's own.
    fn logins(&self, master: &MasterKeys) -> Result<Arc<Logins>, Failure> {
        let read = keys::logins(&self.config.keys_dir, master);
        let logins = runtime()?.block_on(read).map_err(|e| no_master(&e))?;
        Ok(Arc::new(logins))
    }

    /// The database, for as long as a command lives. Blocks.
    pub(super) fn attach(&self, master: &MasterKeys) -> Result<Reached, Failure> {
        let Some(url) = &self.config.database.url else {
            let options = self.cluster_options();
            let attached = embedded::attach_or_start(&options).map_err(|e| embedded(&e))?;
            let connect = private(attached.socket_dir().to_owned());
            let held = Held::Attached(attached);
            return Ok(Reached {
                connect,
                held,
                name: self.private_name(),
            });
        };
        server(url.expose_secret(), self.logins(master)?)
    }

    /// The database, for as long as the server lives. Blocks.
    pub(super) fn start(&self, master: &MasterKeys) -> Result<Reached, Failure> {
        let Some(url) = &self.config.database.url else {
            let cluster = embedded::start(&self.cluster_options()).map_err(|e| embedded(&e))?;
            let connect = private(cluster.socket_dir().to_owned());
            let name = format!("{}, PostgreSQL {}", self.private_name(), cluster.major());
            return Ok(Reached {
                connect,
                held: Held::Own(cluster),
                name,
            });
        };
        server(url.expose_secret(), self.logins(master)?)
    }

    fn private_name(&self) -> String {
        format!(
            "the private cluster in {}",
            self.cluster_options().base.display()
        )
    }

    fn cluster_options(&self) -> embedded::Options {
        let Database {
            connections,
            postgres_bin,
            ..
        } = &self.config.database;
        embedded::Options {
            base: self.config.state_dir.join("postgres"),
            bin: postgres_bin.clone(),
            // Of the four planes' pools, and some for commands beside the server.
            max_connections: connections * 2 + 40,
        }
    }

    /// Runs `work` as the operator on an up-to-date database.
    pub(super) fn operate(
        &self,
        work: impl AsyncFnOnce(&Operator<'_>) -> Result<Reply, Failure>,
    ) -> Result<Reply, Failure> {
        let master = self.master()?;
        let reached = self.attach(&master)?;
        let outcome = runtime()?.block_on(async {
            reached.refuse_older_schema().await?;
            let db = reached.open(self, 4).await?;
            let outcome = match reached.open_keys(self, &db, master).await {
                Ok(keys) => work(&Operator::new(&db, &self.env, &keys)).await,
                Err(failure) => Err(failure),
            };
            db.close().await;
            outcome
        });
        reached.leave();
        outcome
    }
}

/// As root, goes on as the system user: nothing is done as root.
pub(super) fn drop_root(given: &Given, config: &Config) -> Result<(), Failure> {
    // The system user may not be able to stay in this folder: a file found here goes with it
    // by its full name, and one that it can't read is an error and not a silent default.
    let file = given
        .config_file()
        .and_then(|file| file.canonicalize().ok());
    let carried = file.map(|file| (FILE_VARIABLE, file));
    privilege::drop_root(&config.state_dir, carried.as_slice()).map_err(|e| embedded(&e))
}

/// Reads the configuration and nothing else.
pub(super) fn configuration(given: &Given) -> Result<Effective, Failure> {
    Effective::load(given).map_err(|e: ConfigError| {
        Failure::refused(
            format!("the configuration can't be used\n{e}"),
            "`lanyard config explain KEY` says what is right.",
        )
    })
}

/// The runtime that a command runs on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    runtime_of(&Limits::default())
}

/// The runtime that a server runs on.
pub(super) fn runtime_of(limits: &Limits) -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(limits.workers())
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("no threads can be started: {e}"), "Try again."))
}

/// A database that can be spoken with.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) connect: Connect,
    /// Which it is, for people. Never an address with a password.
    pub(super) name: String,
    held: Held,
}

/// What must live as long as we speak with it.
#[derive(Debug)]
enum Held {
    Server,
    Attached(Attached),
    Own(Cluster),
}

impl Reached {
    /// Refuses a schema that is behind this build's.
    pub(super) async fn refuse_older_schema(&self) -> Result<(), Failure> {
        match self.pending().await? {
            0 => Ok(()),
            count => Err(Failure::refused(
                format!(
                    "the schema of {} is {count} migrations behind this build",
                    self.name
                ),
                "Run `lanyard migrate`, or `lanyard serve --migrate`.",
            )),
        }
    }

    /// How many migrations are to be applied: all, if none of our logins is known there.
    pub(super) async fn pending(&self) -> Result<usize, Failure> {
        match migrate::pending(&self.connect).await {
            Ok(count) => Ok(count),
            Err(MigrationError::Administrator(e)) if is_unknown_login(&e) => Err(Failure::refused(
                format!("{} does not know our logins", self.name),
                "Run `lanyard migrate`. If it was run before, it was with another master \
                     key: put that one back.",
            )),
            Err(e) => Err(migration(&e, &self.name)),
        }
    }

    /// Whether it was never migrated.
    pub(super) async fn is_behind(&self) -> Result<bool, Failure> {
        match migrate::pending(&self.connect).await {
            Ok(count) => Ok(count > 0),
            Err(MigrationError::Administrator(e)) if is_unknown_login(&e) => Ok(true),
            Err(e) => Err(migration(&e, &self.name)),
        }
    }

    /// Opens the pools; our clock is the database's from then on.
    pub(super) async fn open(&self, site: &Site, connections: u32) -> Result<Db, Failure> {
        let opened = Db::open(self.connect.clone(), &site.env, connections).await;
        opened.map_err(|e| store(&e))
    }

    /// Opens the working keys of the database.
    pub(super) async fn open_keys(
        &self,
        site: &Site,
        db: &Db,
        master: Arc<MasterKeys>,
    ) -> Result<Keys, Failure> {
        let opened = keys::open(db, &site.env, master).await;
        opened.map_err(|e| no_keys(&e))
    }

    /// Resolves when the private cluster has ended; never for a server.
    pub(super) async fn ended(&self) -> String {
        match &self.held {
            Held::Own(cluster) => format!("{:?}", cluster.exited().await),
            Held::Server | Held::Attached(_) => std::future::pending().await,
        }
    }

    /// Lets go; a cluster of our own is stopped. Blocks.
    pub(super) fn leave(self) {
        match self.held {
            Held::Server => {}
            Held::Attached(attached) => attached.stop(),
            Held::Own(cluster) => cluster.stop(),
        }
    }
}

fn private(socket_dir: PathBuf) -> Connect {
    Connect::private(socket_dir, embedded::DATABASE)
}

fn server(url: &str, logins: Arc<Logins>) -> Result<Reached, Failure> {
    // Not the parser's own words: they may repeat a part of the URL.
    let base = PgConnectOptions::from_str(url).map_err(|_| {
        Failure::refused(
            "the database's URL can't be used",
            "Write postgres://user:password@host:port/database?sslmode=verify-full.",
        )
    })?;
    let database = base.get_database().unwrap_or_default();
    let name = format!(
        "the server {}:{}, database {database}",
        base.get_host(),
        base.get_port()
    );
    Ok(Reached {
        connect: Connect::server(base, logins),
        name,
        held: Held::Server,
    })
}

/// Wrong password, no such role, no right to connect: what a server says that was never migrated.
fn is_unknown_login(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| matches!(code.as_ref(), "28P01" | "28000" | "42501"))
}

/// Says why the private cluster can't be had: its messages say what to do.
pub(super) fn embedded(error: &EmbeddedError) -> Failure {
    Failure::unreachable(
        error.to_string(),
        "`lanyard doctor` looks at everything that this needs.",
    )
}

/// Says why the database failed us.
pub(super) fn store(error: &StoreError) -> Failure {
    match error {
        StoreError::Unavailable(_) => Failure::unreachable(
            chain(error),
            "Is it running, and is database.url_file or DATABASE_URL right? Try again.",
        ),
        StoreError::TransactionPooler => Failure::refused(
            error.to_string(),
            "Lanyard would get other sessions' answers there.",
        ),
        StoreError::Conflict { .. } => Failure::refused(
            error.to_string(),
            "Somebody else was faster. Look, and try again.",
        ),
        StoreError::Corrupt { .. } | StoreError::Query(_) => Failure::failed(
            chain(error),
            "Run `lanyard doctor`, and look into the server's log.",
        ),
    }
}

/// Says why the master key can't be used.
pub(super) fn no_master(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::refused(
        chain(error),
        "Nothing is read or served without the master key of this deployment.",
    )
}

/// Says why the working keys can't be had.
pub(super) fn no_keys(error: &KeysError) -> Failure {
    match error {
        KeysError::Store(e) => store(e),
        KeysError::Wrap(_) | KeysError::OtherMaster => Failure::refused(
            chain(error),
            "Is this the master key of this database? Put that one back.",
        ),
    }
}

/// Says why the signing keys can't be had.
pub(super) fn ring(error: &KeyRingError) -> Failure {
    match error {
        KeyRingError::Store(e) => store(e),
        KeyRingError::Sealed { .. }
        | KeyRingError::Bad(_)
        | KeyRingError::Missing(_)
        | KeyRingError::SelfTest { .. } => {
            Failure::refused(chain(error), "Is this the master key of this database?")
        }
    }
}

/// Says why a migration did not happen.
pub(super) fn migration(error: &MigrationError, name: &str) -> Failure {
    match error {
        MigrationError::Administrator(
            e @ (sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut),
        ) => Failure::unreachable(
            format!("{name} can't be reached: {e}"),
            "Is it running, and is database.url_file or DATABASE_URL right? Try again.",
        ),
        MigrationError::OtherMasterKey => Failure::refused(
            format!("{name}: {error}"),
            "Put that master key back. If nothing serves with it any more, drop the roles \
             lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps, \
             lanyard_sequencer and lanyard_keeper, or use another server.",
        ),
        MigrationError::Administrator(_) | MigrationError::Migration(_) => Failure::failed(
            format!("{name}: {}", chain(error)),
            "Nothing of the failed migration remains. The administrator of the URL must be able \
             to make roles and grant rights.",
        ),
    }
}
