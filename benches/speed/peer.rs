//! npm's `oidc-provider` with its store in memory: what we are compared with (benches/peer-node).

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use url::Url;

use crate::load::{self, Endpoints, Seed};
use crate::place::{Place, Running, said};
use crate::site::free_port;

#[derive(Debug)]
pub(crate) struct Peer {
    running: Running,
    port: u16,
    pub(crate) endpoints: Endpoints,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer-node")
}

/// Its packages, as the lock file says, unless they are there.
fn install() -> Result<()> {
    let folder = folder();
    let at = |name: &str| std::fs::metadata(folder.join(name)).and_then(|m| m.modified());
    let is_there = match (
        at("node_modules/.package-lock.json"),
        at("package-lock.json"),
    ) {
        (Ok(installed), Ok(locked)) => installed >= locked,
        _ => false,
    };
    if !is_there {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
        said(npm.current_dir(&folder)).context("the peer's packages")?;
    }
    Ok(())
}

fn script(port: u16, arguments: &[&str]) -> Command {
    // As ourselves: it reads the checkout, which may be closed to other users.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--", "node", "peer.mjs"])
        .args(arguments)
        .current_dir(folder())
        .env("PORT", port.to_string())
        .env("NODE_ENV", "production")
        .stdin(Stdio::null());
    command
}

impl Peer {
    pub(crate) async fn start(place: &Place) -> Result<Self> {
        install()?;
        let port = free_port()?;
        let mut command = script(port, &["serve"]);
        let log = std::fs::File::create(place.path().join("peer.log"))?;
        command.stdout(Stdio::piped()).stderr(log);
        let mut running = Running::new(command, Signal::KILL)?;
        let out = running.child.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        ensure!(line.starts_with("ready"), "the peer does not start: {line}");
        let issuer = Url::parse(&format!("http://127.0.0.1:{port}"))?;
        let endpoints = load::discover(&issuer).await?;
        Ok(Self {
            running,
            port,
            endpoints,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// So many people, signed in by real code flows.
    pub(crate) fn seeds(&self, count: usize) -> Result<Vec<Seed>> {
        let lines = said(&mut script(self.port, &["mint", &count.to_string()]))?;
        let seeds = lines.lines().map(|line| Ok(serde_json::from_str(line)?));
        seeds.collect()
    }
}

/// Versions of the two, for the record.
pub(crate) fn versions() -> Result<String> {
    let node = said(Command::new("node").arg("--version"))?;
    let locked = std::fs::read_to_string(folder().join("package-lock.json"))?;
    let locked: serde_json::Value = serde_json::from_str(&locked)?;
    let version = &locked["packages"]["node_modules/oidc-provider"]["version"];
    Ok(format!(
        "oidc-provider {} on Node.js {node}",
        version.as_str().unwrap_or("?")
    ))
}
