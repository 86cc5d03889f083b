//! One private cluster a test process: started by the first test that asks, ended with the
//! process however that ends. Most tests share one migrated database, whose tenants are apart;
//! one that changes roles, grants, schemas or settings takes a [`Database`] of its own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use lanyard::db::embedded::{self, SUPERUSER};
use lanyard::db::migrate::migrate;
use lanyard::db::{Connect, Db};
use lanyard::env::Env;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::sync::{Mutex, OnceCell};

/// Of a folder of ours; the process id follows, so that a later run can clear what a killed one
/// left.
const PREFIX: &str = "lanyard-lab-";
const TEMPLATE: &str = "lanyard_template";

/// The cluster of this process.
#[derive(Debug)]
pub(crate) struct Cluster {
    running: embedded::Cluster,
    // `create database … template` wants nobody in the template, and roles belong to the whole
    // cluster: one at a time.
    making: Mutex<()>,
}

/// The cluster, started on first use.
pub(crate) async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    CLUSTER
        .get_or_init(async || Cluster::start("shared").await)
        .await
}

/// A cluster of the caller's own, for tests that change roles: those are every database's.
pub(crate) async fn apart() -> Cluster {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    Cluster::start(&format!("apart-{}", COUNT.fetch_add(1, Ordering::Relaxed))).await
}

/// The database that tests share: migrated, and empty but for what tests put there.
pub(crate) async fn shared() -> &'static Database {
    static SHARED: OnceCell<Database> = OnceCell::const_new();
    SHARED
        .get_or_init(async || cluster().await.fresh().await)
        .await
}

/// A migrated database of the caller's own.
pub(crate) async fn fresh() -> Database {
    cluster().await.fresh().await
}

impl Cluster {
    async fn start(name: &str) -> Self {
        let base = folder().join(name);
        let running = tokio::task::spawn_blocking(|| {
            let options = embedded::Options {
                base,
                bin: None,
                max_connections: 300,
            };
            embedded::start(&options).expect("the private cluster starts")
        });
        let running = running.await.unwrap();
        let template = Database::named(running.socket_dir(), embedded::DATABASE);
        let mut boss = template.superuser().await;
        for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
            // Synthetic rows that end with the process: nothing here has to survive a power cut.
            tell(&mut boss, &format!("alter system set {setting} = off")).await;
        }
        tell(&mut boss, "select pg_catalog.pg_reload_conf()").await;
        tell(&mut boss, &format!("create database {TEMPLATE}")).await;
        boss.close().await.unwrap();
        let template = Database::named(running.socket_dir(), TEMPLATE);
        migrate(&template.connect)
            .await
            .expect("the schema is made");
        Self {
            running,
            making: Mutex::new(()),
        }
    }

    /// A copy of the migrated database.
    pub(crate) async fn fresh(&self) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lab_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let _one_at_a_time = self.making.lock().await;
        let mut boss = self.superuser().await;
        tell(
            &mut boss,
            &format!("create database {name} template {TEMPLATE}"),
        )
        .await;
        boss.close().await.unwrap();
        let database = Database::named(self.running.socket_dir(), &name);
        // A copy has no grants on the database itself: they are made anew.
        migrate(&database.connect)
            .await
            .expect("the schema is made");
        database
    }

    async fn superuser(&self) -> PgConnection {
        let database = Database::named(self.running.socket_dir(), embedded::DATABASE);
        database.superuser().await
    }
}

/// A database of the cluster, and ways into it.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// As the server reaches it.
    pub(crate) connect: Connect,
    /// Its name.
    pub(crate) name: String,
    socket_dir: PathBuf,
}

impl Database {
    fn named(socket_dir: &Path, name: &str) -> Self {
        Self {
            connect: Connect::private(socket_dir.to_path_buf(), name),
            name: name.to_owned(),
            socket_dir: socket_dir.to_path_buf(),
        }
    }

    /// The same database behind another socket: a proxy's or a pooler's.
    pub(crate) fn through(&self, socket_dir: &Path) -> Self {
        Self::named(socket_dir, &self.name)
    }

    /// Another database of the same cluster.
    pub(crate) fn named_like(&self, name: &str) -> Self {
        Self::named(&self.socket_dir, name)
    }

    /// The folder of the socket.
    pub(crate) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The options for one role.
    pub(crate) fn options(&self, role: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .username(role)
            .database(&self.name)
    }

    /// A connection as `role`, one of the serving logins: what an injected statement has.
    pub(crate) async fn login(&self, role: &str) -> PgConnection {
        let connected = PgConnection::connect_with(&self.options(role)).await;
        connected.unwrap_or_else(|error| panic!("{role} logs in: {error}"))
    }

    /// The superuser, who sees all: to plant rows and to look at the truth.
    pub(crate) async fn superuser(&self) -> PgConnection {
        self.login(SUPERUSER).await
    }

    /// Its server side: pools, and a seal key of its own.
    pub(crate) async fn open(&self, env: &Env, connections: u32) -> Db {
        Db::open(self.connect.clone(), env, connections)
            .await
            .expect("the database opens")
    }
}

/// Runs statements by the simple protocol.
pub(crate) async fn tell(connection: &mut PgConnection, statements: &str) {
    let sql = AssertSqlSafe(statements.to_owned());
    if let Err(error) = sqlx::raw_sql(sql).execute(connection).await {
        panic!("{error}\n{statements}");
    }
}

/// A folder for this process's cluster; those of processes that are gone are cleared.
fn folder() -> PathBuf {
    let temp = std::env::temp_dir();
    for entry in std::fs::read_dir(&temp).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|n| n.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Not ours, or its server is still stopping: the next run sees to it.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let folder = temp.join(format!("{PREFIX}{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
