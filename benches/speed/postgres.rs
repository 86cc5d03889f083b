//! A PostgreSQL server as an operator would have it: durable, by its own password, on a socket.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::place::{Place, Running, said};

const SUPERUSER: &str = "boss";
const PASSWORD: &str = "of-a-run-that-ends";
/// Each must read so, or nothing is measured: what was acknowledged survives a power cut.
const DURABLE: [(&str, &str); 3] = [
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
];

#[derive(Debug)]
pub(crate) struct Postgres {
    running: Running,
    programs: PathBuf,
    socket: PathBuf,
}

impl Postgres {
    pub(crate) async fn start(place: &Place) -> Result<Self> {
        let programs = programs()?;
        let (data, socket) = (place.path().join("data"), place.path().join("socket"));
        said(place.command(Path::new("mkdir")).arg(&socket))?;
        let secret = place.path().join("password");
        std::fs::write(&secret, PASSWORD)?;
        said(
            place
                .command(&programs.join("initdb"))
                .args(["-U", SUPERUSER, "-A", "scram-sha-256", "--pwfile"])
                .arg(&secret)
                .arg("-D")
                .arg(&data),
        )?;
        let mut command = place.command(&programs.join("postgres"));
        command
            .args(["-c", "listen_addresses=", "-c", "max_connections=200"])
            .args(["-c", "timezone=UTC", "-c", "log_min_messages=fatal", "-k"])
            .arg(&socket)
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Fast shutdown: connections are ended, everything is written.
        let running = Running::new(command, Signal::INT)?;
        let mut postgres = Self {
            running,
            programs,
            socket,
        };
        postgres.wait_until_up().await?;
        postgres.refuse_forgetful().await?;
        Ok(postgres)
    }

    async fn wait_until_up(&mut self) -> Result<()> {
        for _ in 0..300 {
            if self.superuser("postgres").await.is_ok() {
                return Ok(());
            }
            ensure!(
                self.running.child.try_wait()?.is_none(),
                "PostgreSQL has ended by itself"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("PostgreSQL does not answer")
    }

    async fn refuse_forgetful(&self) -> Result<()> {
        let mut boss = self.superuser("postgres").await?;
        for (setting, durable) in DURABLE {
            let is: String = sqlx::query_scalar(AssertSqlSafe(format!("show {setting}")))
                .fetch_one(&mut boss)
                .await?;
            ensure!(is == durable, "{setting} is {is}: nothing is measured so");
        }
        Ok(())
    }

    /// As the server's `DATABASE_URL`.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.socket.display();
        format!("postgres://{SUPERUSER}:{PASSWORD}@localhost/{database}?host={socket}")
    }

    /// For any role that has the run's password.
    pub(crate) fn options(&self, database: &str) -> Result<PgConnectOptions> {
        Ok(PgConnectOptions::from_str(&self.url(database))?)
    }

    pub(crate) async fn superuser(&self, database: &str) -> Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.options(database)?).await?)
    }

    pub(crate) async fn create(&self, database: &str) -> Result<()> {
        let mut boss = self.superuser("postgres").await?;
        tell(&mut boss, &format!("create database {database}")).await
    }

    /// Its first process; all others are its children.
    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    pub(crate) fn version(&self) -> Result<String> {
        said(Command::new(self.programs.join("postgres")).arg("--version"))
    }

    /// `pgbench` on one of its databases.
    pub(crate) fn pgbench(&self, place: &Place, database: &str) -> Command {
        let mut command = place.command(&self.programs.join("pgbench"));
        command
            .args(["--no-vacuum", "--username", SUPERUSER, "--host"])
            .arg(&self.socket)
            .env("PGPASSWORD", PASSWORD)
            .env("PGDATABASE", database);
        command
    }
}

/// Runs statements by the simple protocol.
pub(crate) async fn tell(connection: &mut PgConnection, statements: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(connection)
        .await
        .with_context(|| statements.to_owned())?;
    Ok(())
}

/// The newest of the machine's PostgreSQL programs.
fn programs() -> Result<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").context("no PostgreSQL here")?;
    let mut found: Vec<(u32, PathBuf)> = installed
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    found.sort();
    let (_, newest) = found
        .pop()
        .context("no PostgreSQL in /usr/lib/postgresql")?;
    Ok(newest.join("bin"))
}
