//! The rows of the table. Those that share a measurement are one row with several figures.

mod code;
pub(crate) mod documents;
mod log;
mod process;
mod refresh;
mod revocation;
mod seal;
mod sign_in;
mod stored;
mod verifier;

use std::collections::HashMap;

use anyhow::{Result, bail};

use crate::figure::Figure;
use crate::peer::Peer;
use crate::place::Place;
use crate::plan::Plan;
use crate::postgres::Postgres;
use crate::say;
use crate::site::{Served, Site};

/// A row's argument and what it measures.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
}

/// All of them, in the order of the table.
pub(crate) const ROWS: [Row; 11] = [
    Row {
        name: "refresh",
        what: "durable rotations against pgbench and the peer, rate and CPU",
    },
    Row {
        name: "stored",
        what: "rotations beside many stored families against an empty table",
    },
    Row {
        name: "code",
        what: "the code flow of a signed-in person against the peer",
    },
    Row {
        name: "documents",
        what: "discovery and JWKS, CPU against an axum hello-world",
    },
    Row {
        name: "verifier",
        what: "CPU over the bare signature check, and of a token seen before",
    },
    Row {
        name: "seal",
        what: "a sealed transaction against plain row-level security",
    },
    Row {
        name: "sign-in",
        what: "password sign-ins a second against what the hash allows",
    },
    Row {
        name: "p99",
        what: "refresh latency while sign-ins are in flight, against without",
    },
    Row {
        name: "log",
        what: "rotations with the log's sequencer and without; a large log read and verified",
    },
    Row {
        name: "revocation",
        what: "from a sign-out to the last verifier's refusal; what held revocations cost",
    },
    Row {
        name: "process",
        what: "from start to first answer; memory idle and after load",
    },
];

/// Measures a row of [`ROWS`].
pub(crate) async fn measure(name: &str, run: &mut Run<'_>) -> Result<Vec<Figure>> {
    match name {
        "refresh" => refresh::measure(run).await,
        "stored" => stored::measure(run).await,
        "code" => code::measure(run).await,
        "documents" => documents::measure(run).await,
        "verifier" => verifier::measure(run).await,
        "seal" => seal::measure(run).await,
        "sign-in" => sign_in::throughput(run).await,
        "p99" => sign_in::latency(run).await,
        "log" => log::measure(run).await,
        "revocation" => revocation::measure(run).await,
        "process" => process::measure(run).await,
        other => bail!("no row {other}"),
    }
}

/// What the rows of a run share: the servers, each started when a row first needs it.
pub(crate) struct Run<'a> {
    pub(crate) plan: Plan,
    pub(crate) place: &'a Place,
    pub(crate) postgres: &'a Postgres,
    sites: HashMap<&'static str, Site>,
    peer: Option<Peer>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(plan: Plan, place: &'a Place, postgres: &'a Postgres) -> Self {
        Self {
            plan,
            place,
            postgres,
            sites: HashMap::new(),
            peer: None,
        }
    }

    /// The deployment on that database, made if this is the first row that wants it.
    pub(crate) async fn site(&mut self, database: &'static str) -> Result<&Site> {
        if !self.sites.contains_key(database) {
            say(&format!("  making a clinic in `{database}`"));
            let people = self.plan.people();
            let site = Site::make(self.place, self.postgres, database, people).await?;
            self.sites.insert(database, site);
        }
        Ok(&self.sites[database])
    }

    /// The same, if it is made.
    pub(crate) fn made(&self, database: &str) -> Result<&Site> {
        let found = self.sites.get(database);
        found.ok_or_else(|| anyhow::anyhow!("no site `{database}`"))
    }

    /// The same, served by a process that ends when the row does.
    pub(crate) async fn serve(&mut self, database: &'static str) -> Result<(&Site, Served)> {
        let place = self.place;
        let site = self.site(database).await?;
        let (served, _) = site.serve(place).await?;
        Ok((site, served))
    }

    pub(crate) async fn peer(&mut self) -> Result<&Peer> {
        if self.peer.is_none() {
            self.peer = Some(Peer::start(self.place).await?);
        }
        self.peer.as_ref().ok_or_else(|| anyhow::anyhow!("no peer"))
    }

    /// The database's first process and this one: whose CPU a durable answer costs.
    pub(crate) fn watched(&self, served: &Served) -> [u32; 2] {
        [served.pid(), self.postgres.pid()]
    }
}
