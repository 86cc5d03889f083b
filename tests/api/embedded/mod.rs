//! The private PostgreSQL cluster, on this machine's real server programs.
//!
//! As root, some run a second time, as an ordinary user: see [`ordinary_user`].

mod access;
mod child;
mod crashes;
mod ordinary_user;
mod refusals;
mod root;
mod starts;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use lanyard::db::embedded::{Cluster, DATABASE, Options, SUPERUSER, start};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

/// A folder that other users may pass through, removed at the end.
struct Place {
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lanyard-test-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self { path }
    }

    fn options(&self) -> Options {
        options(&self.path.join("postgres"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn options(base: &Path) -> Options {
    Options {
        base: base.to_path_buf(),
        bin: None,
        max_connections: 10,
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(work)
}

/// The first column of the first row.
async fn ask(options: &PgConnectOptions, query: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let answer = sqlx::query_scalar(query).fetch_one(&mut connection).await;
    let _ = connection.close().await;
    answer
}

async fn tell(options: &PgConnectOptions, statement: &'static str) {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// As the superuser of our database.
fn boss(cluster: &Cluster) -> PgConnectOptions {
    cluster.connect_options(SUPERUSER, DATABASE)
}

/// Rows that [`child::write_rows`] left behind.
fn rows(cluster: &Cluster) -> usize {
    let count = run(ask(&boss(cluster), "select count(*)::text from witness"));
    count.unwrap().parse().unwrap()
}

fn postmaster(data: &Path) -> i32 {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Looks again until the condition holds. Never gives up: the test runner's own limit does.
fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        std::thread::park_timeout(std::time::Duration::from_millis(2));
    }
}

fn started(place: &Place) -> Cluster {
    start(&place.options()).unwrap()
}
