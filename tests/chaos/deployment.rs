//! Two replicas of the program itself, set up by its own commands.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

pub(crate) const REDIRECT: &str = "https://app.example.test/cb";
/// Nobody waits longer for a death.
const LONGEST_LIFE: Duration = Duration::from_secs(90);
/// The beginning of everybody's password; the number of the change follows.
pub(crate) const PASSWORD: &str = "quiet river under seven bridges";

/// A folder of a test's own, removed with it.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("lanyard-chaos-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A registered client.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    /// What it asks for, between spaces.
    pub(crate) scopes: &'static str,
}

/// What every replica and every command is told.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    state: PathBuf,
    database_url: String,
    pub(crate) issuer: String,
}

impl Deployment {
    /// - `issuer_port`: the proxy's.
    pub(crate) fn new(folder: &Folder, database_url: String, issuer_port: u16) -> Self {
        Self {
            state: folder.path().join("state"),
            database_url,
            issuer: format!("http://localhost:{issuer_port}"),
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lanyard"));
        command
            .args(words)
            .args(["-o", "json"])
            .current_dir(self.state.parent().expect("a folder"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("DATABASE_URL", &self.database_url)
            .env("LANYARD_STATE_DIR", &self.state)
            .env("LANYARD_KEYS_DIR", self.state.join("keys"))
            .env("LANYARD_ISSUER", &self.issuer)
            .env("LANYARD_LISTEN_ISSUER", "127.0.0.1:0")
            .env("LANYARD_LISTEN_OPERATIONS", "127.0.0.1:0")
            .env("LANYARD_APPS_PATIENT_LISTEN", "")
            .env("LANYARD_APPS_CLINICIAN_LISTEN", "")
            .env("LANYARD_APPS_CONSOLE_LISTEN", "")
            .env("LANYARD_APPS_PLATFORM_LISTEN", "")
            .env("LANYARD_MAIL_DELIVERY", "directory")
            .env("FAULT_POINT_FILE", self.fault())
            // A kill between an attempt and its success leaves it counted; people of this test
            // share one network.
            .env("LANYARD_THROTTLE_ACCOUNT_ATTEMPTS", "20")
            .env("LANYARD_THROTTLE_ACCOUNT_WINDOW", "1m")
            .env("LANYARD_THROTTLE_NETWORK_ATTEMPTS", "10000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Something in the folder that servers and commands may write to, whoever they run as.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    fn fault(&self) -> PathBuf {
        self.state.with_file_name("fault")
    }

    /// From now on whatever passes at that point ends (`src/fault.rs`).
    pub(crate) fn arm(&self, point: &str) {
        std::fs::write(self.fault(), point).unwrap();
    }

    pub(crate) fn disarm(&self) {
        std::fs::remove_file(self.fault()).unwrap();
    }

    /// Runs a command until it dies at the armed point, and disarms that.
    pub(crate) async fn ask_in_vain(&self, words: &[&str]) {
        dies(&mut self.command(words).spawn().unwrap()).await;
        self.disarm();
    }

    /// Runs a command to its end, with a line of input; gives its answer.
    pub(crate) async fn ask(&self, words: &[&str], input: &str) -> Value {
        let mut child = self.command(words).spawn().unwrap();
        let mut to = child.stdin.take().unwrap();
        // A program that reads nothing may be gone already.
        let _ = to.write_all(input.as_bytes()).await;
        drop(to);
        let done = child.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{words:?}: {said}");
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// From an empty database to a clinic with `people` patients and two clients.
    pub(crate) async fn set_up(&self, people: usize) -> Vec<Party> {
        self.ask(&["keys", "init"], "").await;
        self.ask(&["migrate"], "").await;
        let clinic = ["tenant", "create", "juniper", "--name", "Juniper Clinic"];
        self.ask(&clinic, "").await;
        for number in 0..people {
            let login = login(number);
            let words = [
                "account",
                "create",
                "--name",
                "Somebody",
                "--tenant",
                "juniper",
                "--role",
                "patient",
                "--password-stdin",
                "--login",
                &login,
            ];
            self.ask(&words, &format!("{PASSWORD} 0\n")).await;
        }
        let mut parties = Vec::new();
        for kind in ["web", "spa"] {
            let id = format!("the-{kind}");
            let words = [
                "client",
                "create",
                &id,
                "--name",
                "An app",
                "--kind",
                kind,
                "--tenant",
                "juniper",
                "--redirect-uri",
                REDIRECT,
                "--scope",
                "openid",
                "--scope",
                "visits:read",
                "--first-party",
                "--audience",
                "https://api.example.test",
                "--id-token-alg",
                "ES256",
            ];
            let made = self.ask(&words, "").await;
            let secret = made["client_secret"].as_str().map(str::to_owned);
            let scopes = "openid visits:read";
            parties.push(Party { id, secret, scopes });
        }
        parties
    }

    /// Starts a replica and waits until it says that it serves.
    pub(crate) async fn serve(&self) -> Replica {
        let mut process = self
            .command(&["serve"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("it serves");
        let ready: Value = serde_json::from_str(&line).unwrap();
        let at = |face: &str| -> SocketAddr {
            let first = ready["listening"][face][0].as_str();
            first.expect("an address").parse().unwrap()
        };
        Replica {
            issuer: at("issuer"),
            operations: at("operations"),
            process,
        }
    }
}

pub(crate) fn login(number: usize) -> String {
    format!("person{number}@juniper.example")
}

/// One serving process.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) issuer: SocketAddr,
    pub(crate) operations: SocketAddr,
    process: Child,
}

impl Replica {
    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.process.start_kill().unwrap();
        dies(&mut self.process).await;
    }

    /// Waits until it dies as by `kill -9`.
    pub(crate) async fn dies(mut self) {
        dies(&mut self.process).await;
    }
}

async fn dies(process: &mut Child) {
    use std::os::unix::process::ExitStatusExt as _;
    let waiting = tokio::time::timeout(LONGEST_LIFE, process.wait());
    let status = waiting.await.expect("it dies").unwrap();
    assert_eq!(status.signal(), Some(9), "it had ended by itself: {status}");
}
