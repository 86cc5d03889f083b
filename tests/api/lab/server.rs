//! A server as in production, on a loopback port of its own, whose clock the test moves.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use axum::Router;
use lanyard::app::App;
use lanyard::config::{Config, Issuer};
use lanyard::env::{Clock, DatabaseClock, Env, SystemEntropy};
use lanyard::keys::{self, MasterKey, MasterKeys};
use lanyard::server::{self, Face};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use tokio::net::TcpListener;

use super::browser::Browser;
use super::cluster::{self, Database};

/// Where every lab's clock begins: a Monday, 14:00 UTC.
pub(crate) const START: OffsetDateTime = datetime!(2026-03-02 14:00 UTC);
/// The labs of a process share a database, so they share the key that its rows are under.
pub(crate) const MASTER: [u8; 32] = [42; 32];

/// A clock that stands still until it is told to move, or runs and is moved on top of that. Clones
/// are the same clock.
#[derive(Clone, Debug)]
pub(crate) struct LabClock {
    moved: Arc<AtomicI64>,
    runs: bool,
}

impl LabClock {
    fn at_start() -> Self {
        Self {
            moved: Arc::default(),
            runs: false,
        }
    }

    /// Shows the machine's time until it is moved: for clients and browsers with clocks of their
    /// own.
    fn running() -> Self {
        Self {
            runs: true,
            ..Self::at_start()
        }
    }

    /// Moves on, or back with a negative `by`.
    pub(crate) fn advance(&self, by: Duration) {
        let microseconds = i64::try_from(by.whole_microseconds()).unwrap();
        self.moved.fetch_add(microseconds, Ordering::SeqCst);
    }
}

impl Clock for LabClock {
    fn now(&self) -> OffsetDateTime {
        let base = if self.runs {
            DatabaseClock::machine_now()
        } else {
            START
        };
        base + Duration::microseconds(self.moved.load(Ordering::SeqCst))
    }
}

/// Serves a router on this listener as in production, as long as the test runs.
pub(crate) fn attend(app: &App, what: &'static str, router: Router, listener: TcpListener) {
    let face = Face {
        what,
        addresses: Vec::new(),
        router,
        is_public: true,
    };
    let app = app.clone();
    tokio::spawn(async move { server::attend(&app, face, listener).await });
}

/// One server, its clock, its database, and a network of its own for the browsers.
#[derive(Debug)]
pub(crate) struct Lab {
    /// What the server runs on; for services that have no face.
    pub(crate) app: App,
    /// Moves its time.
    pub(crate) clock: LabClock,
    /// Shared with other labs unless [`Lab::apart`] made it.
    pub(crate) database: Database,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    number: u32,
}

impl Lab {
    /// On the shared database, with the default configuration.
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// On the shared database, with a configuration of its own.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start(
            cluster::shared().await.clone(),
            LabClock::at_start(),
            None,
            change,
        )
        .await
    }

    /// On a database of its own.
    pub(crate) async fn apart(change: impl FnOnce(&mut Config)) -> Self {
        Self::start(cluster::fresh().await, LabClock::at_start(), None, change).await
    }

    /// On a database as the caller reaches it.
    pub(crate) async fn on(database: Database) -> Self {
        Self::start(database, LabClock::at_start(), None, |_| ()).await
    }

    /// On a database of its own, by the machine's clock.
    pub(crate) async fn in_real_time(change: impl FnOnce(&mut Config)) -> Self {
        Self::start(cluster::fresh().await, LabClock::running(), None, change).await
    }

    /// A second server of the same deployment: same database, issuer and clock.
    pub(crate) async fn second_node(&self) -> Self {
        self.second_node_with(|_| ()).await
    }

    /// The same, with a configuration changed since.
    pub(crate) async fn second_node_with(&self, alter: impl FnOnce(&mut Config)) -> Self {
        let config = self.app.config.clone();
        let change = |fresh: &mut Config| {
            *fresh = config;
            alter(fresh);
        };
        let first = (self.app.config.issuer.clone(), self.number);
        Self::start(
            self.database.clone(),
            self.clock.clone(),
            Some(first),
            change,
        )
        .await
    }

    async fn start(
        database: Database,
        clock: LabClock,
        first: Option<(Issuer, u32)>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = Config::default();
        config.database.connections = 12;
        change(&mut config);
        let (issuer, number) = first.unwrap_or_else(|| {
            let own = format!("http://localhost:{}", address.port());
            (
                Issuer::parse(&own).unwrap(),
                COUNT.fetch_add(1, Ordering::Relaxed),
            )
        });
        config.issuer = issuer;
        let env = Env {
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SystemEntropy::new()),
        };
        let db = database.open(&env, config.database.connections).await;
        let master = Arc::new(MasterKeys::only(MasterKey::from_bytes(MASTER)));
        let keys = keys::open(&db, &env, master)
            .await
            .expect("the data key opens");
        let app = App::new(config, env, db, keys)
            .await
            .expect("the keys load");
        let router = lanyard::http::issuer(&app).await.unwrap();
        attend(&app, "issuer", router, listener);
        Self {
            app,
            clock,
            database,
            address,
            number,
        }
    }

    /// Now, by the lab's clock.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// `http://localhost:<port>`.
    pub(crate) fn issuer(&self) -> &str {
        self.app.issuer()
    }

    /// A fresh browser in the lab's first network.
    pub(crate) fn browser(&self) -> Browser {
        self.browser_in(1)
    }

    /// A fresh browser at an address that no other lab has; `host` from 1 to 254 tells networks
    /// apart.
    pub(crate) fn browser_in(&self, host: u8) -> Browser {
        let [_, _, high, low] = self.number.to_be_bytes();
        let own = IpAddr::V4(Ipv4Addr::new(127, 100 + high, low, host));
        Browser::new(self.issuer(), self.address, own)
    }
}
