//! The typed configuration and its defaults.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;
use time::Duration;
use url::Url;

use super::audit::Audit;
use super::lifetimes::Lifetimes;
use super::mail::Mail;
use super::serving::{Limits, Proxy, Receivers, Shutdown, Tls};
use crate::db::embedded::privilege;

/// Everything an operator may say. Valid once [`super::Effective::load`] returned it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who we are: the `iss` of every token.
    pub issuer: Issuer,
    /// Which planes this process serves.
    pub planes: Planes,
    /// Where the issuer and the operations face listen.
    pub listen: Listen,
    /// The apps of our own.
    pub apps: Apps,
    /// The process's own TLS.
    pub tls: Tls,
    /// The proxies in front.
    pub proxy: Proxy,
    /// Who is told what ends.
    pub receivers: Receivers,
    /// What clients may take.
    pub limits: Limits,
    /// How the process ends.
    pub shutdown: Shutdown,
    /// What this process writes: the private cluster, the demo's mail.
    pub state_dir: PathBuf,
    /// Where `master.key` lies.
    pub keys_dir: PathBuf,
    /// How the database is reached.
    pub database: Database,
    /// How long what we issue is good.
    pub lifetimes: Lifetimes,
    /// How long what we sign with is used.
    pub signing: Signing,
    /// The platform's own clocks: no role, clinic or app may be laxer.
    pub session: SessionCeiling,
    /// How many passwords are hashed at once.
    pub password: PasswordHashing,
    /// How many guesses are let through.
    pub throttle: Throttle,
    /// Where mail goes.
    pub mail: Mail,
    /// How long what is over is kept.
    pub retention: Retention,
    /// The logs' anchor and keys.
    pub audit: Audit,
    /// What is logged, and how.
    pub log: Log,
    /// Whether everybody and everything here is made up. No setting: `lanyard demo` says so.
    pub is_demo: bool,
}

/// The issuer's URL: an origin without a path, `https` unless its host is a loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(Url);

impl Issuer {
    /// Parses and checks it.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        super::value::origin(text).map(Self)
    }

    /// As it stands in `iss`: no slash at the end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// For joining paths to it.
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// Whether cookies can be `Secure` and `__Host-`: browsers also allow that on loopback.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the issuer and the operations face listen. Several addresses serve the same.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Issuer, account pages and API.
    pub issuer: Vec<SocketAddr>,
    /// `/livez`, `/readyz` and `/metrics`: not for the public.
    pub operations: Vec<SocketAddr>,
}

/// The relying parties of our own.
#[derive(Clone, Debug)]
pub struct Apps {
    /// For patients.
    pub patient: App,
    /// For clinicians.
    pub clinician: App,
    /// For clinic admins and the platform's staff.
    pub console: App,
    /// For those who run the platform.
    pub platform: App,
}

/// One of them. A clinic's address is its slug before this host: `juniper.localhost:8081`.
#[derive(Clone, Debug)]
pub struct App {
    /// Its public origin, without a clinic.
    pub url: Url,
    /// Where it listens; empty: it is not served.
    pub listen: Vec<SocketAddr>,
}

/// The parts of Lanyard that one process can serve alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlaneName {
    /// The issuer: sign-in, tokens, clients, account pages.
    Identity,
    /// The API of the domain modules.
    Tenant,
    /// Ours, each with an address of its own.
    Apps,
}

impl PlaneName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Identity, Self::Tenant, Self::Apps];

    /// As written in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Tenant => "tenant",
            Self::Apps => "apps",
        }
    }
}

/// Which planes this process serves: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planes(Vec<PlaneName>);

impl Planes {
    /// Whether `plane` is served here.
    pub fn serve(&self, plane: PlaneName) -> bool {
        self.0.contains(&plane)
    }

    /// The one or more served, in order.
    pub fn names(&self) -> &[PlaneName] {
        &self.0
    }
}

impl FromStr for Planes {
    type Err = String;

    /// `all`, or names separated by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut planes = Vec::new();
        for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            if name == "all" {
                planes.extend(PlaneName::ALL);
            } else {
                let known = PlaneName::ALL.into_iter().find(|p| p.as_str() == name);
                planes.push(known.ok_or_else(|| {
                    format!("`{name}` is no plane: use identity, tenant, apps or all")
                })?);
            }
        }
        planes.sort_unstable();
        planes.dedup();
        if planes.is_empty() {
            return Err("name at least one plane: identity, tenant, apps or all".to_owned());
        }
        Ok(Self(planes))
    }
}

impl fmt::Display for Planes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == PlaneName::ALL {
            return f.write_str("all");
        }
        let names: Vec<_> = self.0.iter().map(|p| p.as_str()).collect();
        f.write_str(&names.join(","))
    }
}

/// How the database is reached.
#[derive(Clone, Debug)]
pub struct Database {
    /// The administrator's URL of a server; none: the private cluster.
    pub url: Option<SecretString>,
    /// Where the private cluster's binaries are, if not where distributions put them.
    pub postgres_bin: Option<PathBuf>,
    /// At most so many connections of the identity plane.
    pub connections: u32,
}

/// The signing keys' schedule.
#[derive(Clone, Copy, Debug)]
pub struct Signing {
    /// How long one key signs.
    pub rotate_every: Duration,
}

/// The platform's clocks, the top of the lattice (design §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionCeiling {
    /// Since the person last did something.
    pub idle: Duration,
    /// Since sign-in.
    pub absolute: Duration,
    /// Live ones of one person; one more ends the one that was idle longest.
    pub most_per_person: u32,
}

/// How many passwords are hashed at once (19 MiB each).
#[derive(Clone, Debug)]
pub struct PasswordHashing {
    /// Running at the same time.
    pub parallelism: u32,
    /// Waiting for their turn; more are answered 503.
    pub queue: u32,
}

/// How many guesses are let through, each within a window.
#[derive(Clone, Debug)]
pub struct Throttle {
    /// Wrong passwords for one account from one network.
    pub account_attempts: u32,
    /// The window of that.
    pub account_window: Duration,
    /// Wrong passwords from one network.
    pub network_attempts: u32,
    /// The window of that.
    pub network_window: Duration,
}

/// How long what is over is kept (`crate::retention`).
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Sign-ins with their codes and tokens, after the last instant that they could have lived.
    pub sessions: Duration,
    /// Browsers and networks, after the last sign-in from there.
    pub known_places: Duration,
    /// Mail, after its delivery.
    pub mail: Duration,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// One line a request, or one JSON object a line.
    pub format: LogFormat,
    /// Which events: `tracing`'s filter, as in `info,lanyard=debug`.
    pub filter: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        let app = |port: u16| App {
            url: Url::parse(&format!("http://localhost:{port}")).expect("a constant"),
            listen: loopback(port),
        };
        let (state_dir, keys_dir) = if is_the_systems() {
            let state = PathBuf::from(privilege::STATE_DIR);
            (state.clone(), state.join("keys"))
        } else {
            ("var".into(), "keys".into())
        };
        Self {
            issuer: Issuer::parse("http://localhost:8080").expect("a constant"),
            planes: Planes(PlaneName::ALL.to_vec()),
            listen: Listen {
                issuer: loopback(8080),
                operations: loopback(8089),
            },
            apps: Apps {
                patient: app(8081),
                clinician: app(8082),
                console: app(8083),
                platform: app(8084),
            },
            tls: Tls::default(),
            proxy: Proxy::default(),
            receivers: Receivers::default(),
            limits: Limits::default(),
            shutdown: Shutdown::default(),
            state_dir,
            keys_dir,
            database: Database {
                url: None,
                postgres_bin: None,
                connections: 16,
            },
            lifetimes: Lifetimes::default(),
            signing: Signing {
                rotate_every: Duration::days(30),
            },
            session: SessionCeiling {
                idle: Duration::minutes(30),
                absolute: Duration::hours(24),
                most_per_person: 20,
            },
            password: PasswordHashing {
                parallelism: 2,
                queue: 128,
            },
            throttle: Throttle {
                account_attempts: 10,
                account_window: Duration::minutes(15),
                network_attempts: 100,
                network_window: Duration::minutes(15),
            },
            mail: Mail::default(),
            retention: Retention {
                sessions: Duration::days(7),
                known_places: Duration::days(180),
                mail: Duration::days(30),
            },
            audit: Audit::default(),
            log: Log {
                format: LogFormat::Text,
                filter: "info".to_owned(),
            },
            is_demo: false,
        }
    }
}

/// Both loopback addresses, so that `localhost` is met whichever way it resolves.
fn loopback(port: u16) -> Vec<SocketAddr> {
    [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ]
    .map(|ip| SocketAddr::new(ip, port))
    .to_vec()
}

/// Whether this process is root, or the system user that root becomes: its files are not in the
/// working directory then.
fn is_the_systems() -> bool {
    let group = rustix::process::getegid();
    privilege::is_root()
        || std::fs::metadata(privilege::STATE_DIR).is_ok_and(|state| {
            state.uid() == 0 && !group.is_root() && state.gid() == group.as_raw()
        })
}
