//! A private PostgreSQL cluster, for whoever has no `DATABASE_URL`.
//!
//! It is an ordinary cluster, made and run with the server programs of this machine: one folder,
//! one Unix socket that only its own user can reach, no TCP. What must stay true:
//!
//! - `fsync` is on: what was acknowledged survives a crash of either process and of the machine.
//! - The server ends with the process that started it, however that ends.
//! - Only the roles of [`LOGINS`] log in, and only for the user that runs Lanyard (`peer`).
//! - A folder without our mark, or of another user, is refused and left as it was.
//! - Nothing runs as root: see [`privilege`].
//!
//! Linux only: it needs `setpriv` (util-linux) and `/proc`.

mod binaries;
mod cluster;
mod error;
mod layout;
mod lock;
mod log;
pub mod privilege;
mod processes;
mod supervisor;

use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

pub use error::EmbeddedError;
pub use supervisor::Ended;

/// The database that the cluster is made with.
pub const DATABASE: &str = "lanyard";

/// The superuser that the cluster is made with. It makes the roles and serves nothing.
pub const SUPERUSER: &str = "lanyard_bootstrap";

/// Every role that may log in. The cluster rejects all others.
pub const LOGINS: &[&str] = &[
    SUPERUSER,
    "lanyard_identity",
    "lanyard_tenant",
    "lanyard_platform",
    "lanyard_apps",
    "lanyard_sequencer",
    "lanyard_keeper",
];

/// Names the socket file; nothing listens on a TCP port.
const PORT: u16 = 5432;

/// Where the cluster lives and what it is run with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster's folder, such as `var/postgres`: empty, missing, or made by us.
    pub base: PathBuf,
    /// The folder of `initdb` and `postgres`; found by itself if `None`.
    pub bin: Option<PathBuf>,
    /// Connections of all pools together, and a few for administration.
    pub max_connections: u32,
}

/// A running private cluster that this process started. Dropped, it is asked to stop; [`stop`]
/// also waits until it has.
///
/// [`stop`]: Cluster::stop
#[derive(Debug)]
pub struct Cluster {
    running: cluster::Running,
}

/// Makes the cluster if there is none, starts it and waits until it accepts connections.
///
/// Blocks: call it before the runtime exists or in `spawn_blocking`. A cluster left by a killed
/// process is recovered; one that a living process uses is refused ([`EmbeddedError::InUse`]).
pub fn start(options: &Options) -> Result<Cluster, EmbeddedError> {
    let layout = layout::Layout::open(&options.base)?;
    let lock = lock::take(&layout.base)?;
    let running = cluster::bring_up(&layout, lock, options)?;
    Ok(Cluster { running })
}

impl Cluster {
    /// The folder of the socket, mode 0700.
    pub fn socket_dir(&self) -> &Path {
        &self.running.socket_dir
    }

    /// The server's major version, such as 15.
    pub fn major(&self) -> u32 {
        self.running.major
    }

    /// PostgreSQL's own data folder.
    pub fn data_dir(&self) -> &Path {
        &self.running.data
    }

    /// How to connect as one of [`LOGINS`]; no password, the kernel vouches for us.
    pub fn connect_options(&self, role: &str, database: &str) -> PgConnectOptions {
        connect_options(self.socket_dir(), role, database)
    }

    /// Resolves when the server has ended, without our wish or with it. Nothing is acknowledged
    /// any more then: `serve` logs it and exits with an error.
    pub fn exited(&self) -> impl Future<Output = Ended> + Send + 'static {
        self.running.supervisor.ended()
    }

    /// Stops the server and waits for its end. Close the pools first. Blocks.
    pub fn stop(self) {
        self.running.supervisor.stop();
    }
}

/// A cluster for the duration of one command: the one that `serve` runs, or one of our own.
#[derive(Debug)]
pub struct Attached {
    socket_dir: PathBuf,
    own: Option<Cluster>,
}

/// Uses the running cluster of `options.base`, else starts it for as long as the answer lives.
///
/// A running one is believed to be ours when its lock is held and the process of its pid file
/// is a PostgreSQL server working in its data folder. Blocks, as [`start`] does.
pub fn attach_or_start(options: &Options) -> Result<Attached, EmbeddedError> {
    let began = std::time::Instant::now();
    loop {
        match start(options) {
            Err(EmbeddedError::InUse { .. }) if began.elapsed() < cluster::READY_WITHIN => {}
            other => {
                let own = other?;
                return Ok(Attached {
                    socket_dir: own.socket_dir().to_owned(),
                    own: Some(own),
                });
            }
        }
        if let Some(socket_dir) = running_socket_dir(&options.base)? {
            return Ok(Attached {
                socket_dir,
                own: None,
            });
        }
        // The holder of the lock is starting or stopping.
        processes::pause();
    }
}

/// The folder of the newest PostgreSQL programs of this machine: they read every older server.
pub fn programs(bin: Option<&Path>) -> Result<PathBuf, EmbeddedError> {
    binaries::find(bin, None).map(|found| found.dir)
}

fn running_socket_dir(base: &Path) -> Result<Option<PathBuf>, EmbeddedError> {
    let layout = layout::Layout::open(base)?;
    let ready = processes::pid_file(&layout.data)
        .is_some_and(|(pid, ready)| ready && processes::lives_in(pid, &layout.data));
    if ready { layout.socket_dir() } else { Ok(None) }
}

impl Attached {
    /// The folder of the socket, mode 0700.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// Whether another process runs the cluster.
    pub fn is_shared(&self) -> bool {
        self.own.is_none()
    }

    /// How to connect as one of [`LOGINS`].
    pub fn connect_options(&self, role: &str, database: &str) -> PgConnectOptions {
        connect_options(&self.socket_dir, role, database)
    }

    /// Stops the cluster if it was started for this command. Blocks.
    pub fn stop(self) {
        if let Some(own) = self.own {
            own.stop();
        }
    }
}

fn connect_options(socket_dir: &Path, role: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(PORT)
        .ssl_mode(PgSslMode::Disable)
        .username(role)
        .database(database)
}
