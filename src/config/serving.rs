//! How the process is reached: TLS, proxies in front, limits, and how it ends.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use time::Duration;

use super::setting::{Kind, Setting};

/// The process's own TLS; both or neither.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// PEM, the server's certificate first.
    pub cert_file: Option<PathBuf>,
    /// PEM, not readable by everybody.
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// Certificate and key, if TLS is asked for.
    pub fn files(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.cert_file.as_ref().zip(self.key_file.as_ref())
    }
}

/// What stands in front.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    /// Whose `X-Forwarded-For` is believed.
    pub trusted: Vec<IpNet>,
}

impl Proxy {
    /// Whether `peer` is a proxy of ours.
    pub fn is_trusted(&self, peer: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&peer))
    }
}

/// Receivers of shared signals that want to be told.
#[derive(Clone, Debug, Default)]
pub struct Receivers {
    /// Where they may be told beside public addresses.
    pub networks: Vec<IpNet>,
}

/// Bounds of one face: connections, requests, and how long a client may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections.
    pub connections: u32,
    /// Open connections of one network that is no trusted proxy.
    pub connections_per_peer: u32,
    /// Requests being answered.
    pub requests: u32,
    /// Threads that answer, of the whole process; 0: half the cores.
    pub workers: u32,
    /// For a whole request head, and for a TLS handshake.
    pub head_time: Duration,
    /// For a whole request body.
    pub body_time: Duration,
    /// For a client to take what is written to it.
    pub write_time: Duration,
    /// For an answer to begin.
    pub answer_time: Duration,
    /// Between requests of one connection.
    pub idle_time: Duration,
}

impl Limits {
    /// Threads that answer.
    pub fn workers(&self) -> usize {
        match usize::try_from(self.workers) {
            Ok(0) => half_the_cores(),
            asked => asked.unwrap_or(usize::MAX),
        }
    }
}

/// What is ours of a machine that PostgreSQL works on too; one at least.
pub(crate) fn half_the_cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_peer: 256,
            requests: 256,
            workers: 0,
            head_time: Duration::seconds(5),
            body_time: Duration::seconds(10),
            write_time: Duration::seconds(10),
            answer_time: Duration::seconds(30),
            idle_time: Duration::seconds(75),
        }
    }
}

/// How the process ends.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// Not ready any more, and still serving: for load balancers to notice.
    pub drain: Duration,
    /// For answers under way.
    pub grace: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            drain: Duration::ZERO,
            grace: Duration::seconds(10),
        }
    }
}

const fn seconds(n: i64) -> Duration {
    Duration::seconds(n)
}

/// The keys of this file.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "tls.cert_file",
        meaning: "The certificate chain in PEM, the server's own first. With `tls.key_file` the \
            issuer and the apps speak TLS 1.2 and 1.3; a renewed one is taken within a minute, or \
            at SIGHUP.",
        kind: Kind::OptionalPath {
            at: |c| &mut c.tls.cert_file,
        },
    },
    Setting {
        key: "tls.key_file",
        meaning: "Its private key in PEM; everybody else must not be able to read it.",
        kind: Kind::OptionalPath {
            at: |c| &mut c.tls.key_file,
        },
    },
    Setting {
        key: "proxy.trusted",
        meaning: "Networks of the proxies in front, as in 10.0.0.0/8: their `X-Forwarded-For` is \
            believed, nobody else's, and no other forwarding header. Without TLS here, only they \
            may come by an address that is no loopback.",
        kind: Kind::Networks {
            at: |c| &mut c.proxy.trusted,
        },
    },
    Setting {
        key: "receivers.networks",
        meaning: "Networks inside, as in 10.0.0.0/8, in which receivers of security events may be \
            told (RFC 8935): an address that is not public is called in none but these.",
        kind: Kind::Networks {
            at: |c| &mut c.receivers.networks,
        },
    },
    Setting {
        key: "limits.connections",
        meaning: "Most open connections of the issuer, and of each app; the next is told to come \
            back (503).",
        kind: Kind::Count {
            least: 8,
            most: 100_000,
            at: |c| &mut c.limits.connections,
        },
    },
    Setting {
        key: "limits.connections_per_peer",
        meaning: "Most open connections from one IPv4 address, or one IPv6 /64, that is no trusted \
            proxy.",
        kind: Kind::Count {
            least: 4,
            most: 100_000,
            at: |c| &mut c.limits.connections_per_peer,
        },
    },
    Setting {
        key: "limits.requests",
        meaning: "Most requests being answered at once by the issuer, and by each app; the next \
            is told to come back (503).",
        kind: Kind::Count {
            least: 4,
            most: 100_000,
            at: |c| &mut c.limits.requests,
        },
    },
    Setting {
        key: "limits.workers",
        meaning: "How many threads answer; 0 is half the cores, since PostgreSQL works beside \
            them. Where it has a machine of its own: the number of cores.",
        kind: Kind::Count {
            least: 0,
            most: 1024,
            at: |c| &mut c.limits.workers,
        },
    },
    Setting {
        key: "limits.head_time",
        meaning: "How long a client may take for a request's head, and for a TLS handshake.",
        kind: Kind::Length {
            least: seconds(1),
            most: seconds(60),
            at: |c| &mut c.limits.head_time,
        },
    },
    Setting {
        key: "limits.body_time",
        meaning: "How long a client may take for a request's body.",
        kind: Kind::Length {
            least: seconds(1),
            most: seconds(60),
            at: |c| &mut c.limits.body_time,
        },
    },
    Setting {
        key: "limits.write_time",
        meaning: "How long a client may leave an answer unread.",
        kind: Kind::Length {
            least: seconds(1),
            most: seconds(60),
            at: |c| &mut c.limits.write_time,
        },
    },
    Setting {
        key: "limits.answer_time",
        meaning: "How long an answer may take to begin; then the client is told to come back \
            (503), and what was begun runs to its end.",
        kind: Kind::Length {
            least: seconds(1),
            most: seconds(300),
            at: |c| &mut c.limits.answer_time,
        },
    },
    Setting {
        key: "limits.idle_time",
        meaning: "How long a connection may be kept between requests; longer than the proxy in \
            front keeps it.",
        kind: Kind::Length {
            least: seconds(1),
            most: seconds(600),
            at: |c| &mut c.limits.idle_time,
        },
    },
    Setting {
        key: "shutdown.drain",
        meaning: "After SIGTERM: how long to serve on while `/readyz` says no, so that load \
            balancers notice.",
        kind: Kind::Length {
            least: Duration::ZERO,
            most: seconds(300),
            at: |c| &mut c.shutdown.drain,
        },
    },
    Setting {
        key: "shutdown.grace",
        meaning: "After that: how long answers under way are waited for.",
        kind: Kind::Length {
            least: seconds(1),
            most: seconds(300),
            at: |c| &mut c.shutdown.grace,
        },
    },
];
