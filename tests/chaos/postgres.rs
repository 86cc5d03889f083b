//! A PostgreSQL server as an operator has it: TCP, passwords, everything durable.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::process::Child;

const PASSWORD: &str = "canary-of-the-administrator";

/// Its folder is removed with it.
#[derive(Debug)]
pub(crate) struct Postgres {
    data: PathBuf,
    pub(crate) port: u16,
    process: Option<Child>,
}

/// The newest of the machine's PostgreSQL programs.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    let mut found: Vec<PathBuf> = installed.map(|e| e.unwrap().path().join("bin")).collect();
    found.sort();
    found.pop().unwrap()
}

/// The program, under a user that PostgreSQL runs as.
fn program(name: &str) -> Command {
    let path = programs().join(name);
    if !rustix::process::geteuid().is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    let nobody = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"];
    command.args(nobody).arg("--").arg(path);
    command
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn run(mut command: Command) {
    let done = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
}

impl Postgres {
    /// A new one, with its data in a folder of its own under `folder`.
    pub(crate) async fn start(folder: &Path) -> Self {
        let place = place(folder, "primary");
        let password = place.join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        let data = place.join("data");
        let mut make = program("initdb");
        make.args(["-U", "boss", "-A", "scram-sha-256", "--pwfile"])
            .arg(&password)
            .arg("-D")
            .arg(&data);
        run(make);
        let mut postgres = Self {
            data,
            port: free_port(),
            process: None,
        };
        postgres.restart().await;
        postgres
    }

    /// A synchronous standby of this one: what is acknowledged here is durable there.
    pub(crate) async fn standby(&self, folder: &Path) -> Self {
        let data = place(folder, "standby").join("data");
        let mut copy = program("pg_basebackup");
        copy.args(["-R", "-X", "stream", "-c", "fast", "-d"])
            .arg(Self::url(self.port))
            .arg("-D")
            .arg(&data);
        run(copy);
        let mut standby = Self {
            data,
            port: free_port(),
            process: None,
        };
        standby.restart().await;
        let mut boss = self.boss().await;
        for statement in [
            "alter system set synchronous_standby_names = '*'",
            "select pg_reload_conf()",
        ] {
            sqlx::raw_sql(statement).execute(&mut boss).await.unwrap();
        }
        let is_synchronous = "select exists (select from pg_stat_replication
             where sync_state = 'sync' and state = 'streaming')";
        while !sqlx::query_scalar::<_, bool>(is_synchronous)
            .fetch_one(&mut boss)
            .await
            .unwrap()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        standby
    }

    /// The administrator's URL, at `port`: its own, or that of what stands before it.
    pub(crate) fn url(port: u16) -> String {
        format!("postgres://boss:{PASSWORD}@127.0.0.1:{port}/postgres")
    }

    /// Starts it again and waits until it takes connections. What a killed one left (shared
    /// memory that a last backend still holds) lets some starts fail: then once more.
    pub(crate) async fn restart(&mut self) {
        let mut command = tokio::process::Command::from(program("postgres"));
        command
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "max_connections=200"])
            .args(["-p", &self.port.to_string(), "-D"])
            .arg(&self.data)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        while PgConnection::connect_with(&self.options()).await.is_err() {
            if process.try_wait().unwrap().is_some() {
                process = command.spawn().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.process = Some(process);
    }

    /// Ends the postmaster: by `KILL` nobody cleans up, by `QUIT` it is an immediate shutdown.
    /// Returns when nobody answers at its port any more.
    pub(crate) async fn kill(&mut self, signal: Signal) {
        let mut process = self.process.take().expect("it runs");
        let pid = i32::try_from(process.id().expect("it runs")).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        process.wait().await.unwrap();
    }

    /// Makes a standby the primary.
    pub(crate) async fn promote(&self) {
        sqlx::query("select pg_promote()")
            .execute(&mut self.boss().await)
            .await
            .unwrap();
    }

    /// Its superuser: to look at the truth.
    pub(crate) async fn boss(&self) -> PgConnection {
        PgConnection::connect_with(&self.options()).await.unwrap()
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("boss")
            .password(PASSWORD)
            .database("postgres")
    }
}

/// A folder that the server's user may write.
fn place(folder: &Path, name: &str) -> PathBuf {
    let place = folder.join(name);
    std::fs::create_dir(&place).unwrap();
    if rustix::process::geteuid().is_root() {
        let mut chown = Command::new("chown");
        chown.arg("nobody").arg(&place);
        run(chown);
    }
    place
}
