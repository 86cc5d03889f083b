//! A serving process: its listeners, and what goes on beside the requests.
//!
//! A listener accepts ([`listener`]), a door says who comes in ([`door`]), a connection has its
//! pace and its framing read along ([`pace`], [`framing`]), and each request, once it is whole
//! ([`whole`]), runs to its end, in a task of its own if it waits ([`connection`]). Record:
//! docs/decisions/0016.
//!
//! Not its business: configuration, the database's standing, privileges. The command line settles
//! those first.

mod apps;
mod connection;
mod door;
mod framing;
mod jobs;
mod listener;
mod operations;
mod pace;
mod tls;
mod whole;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::apps::registration::RegistrationError;
use crate::config::PlaneName;
use crate::db::StoreError;

use door::Door;
pub use operations::Leaving;
pub use tls::{Certificates, TlsError};

/// Beside the grace: idle connections are listened to for a moment before they are closed.
const SETTLING: Duration = Duration::from_secs(1);

/// The operator's or ours: the process can't serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another process has the address, or it may not be had.
    #[error("can't listen on {address} for {what}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Which face.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The roles that guard the API can't be read.
    #[error("the database can't be read")]
    Store(#[from] StoreError),
    /// The apps can't be registered as the clients they are.
    #[error("the apps can't be registered")]
    Apps(#[from] RegistrationError),
    /// Certificate or key are of no use.
    #[error("TLS can't be served")]
    Tls(#[from] TlsError),
}

/// A face of the process: where it listens and what it answers there.
#[derive(Debug)]
pub struct Face {
    /// For messages.
    pub what: &'static str,
    /// All of them serve the same.
    pub addresses: Vec<SocketAddr>,
    /// What it answers.
    pub router: Router,
    /// Whether people and apps come here: by TLS, if there is one, else from this machine and
    /// declared proxies alone.
    pub is_public: bool,
}

/// The faces that the configuration asks for, without the apps.
///
/// # Errors
/// [`ServeError::Store`].
pub async fn faces(app: &App, leaving: &Leaving) -> Result<Vec<Face>, ServeError> {
    let listen = &app.config.listen;
    let mut faces = vec![Face {
        what: "operations",
        addresses: listen.operations.clone(),
        router: operations::router(app, leaving),
        is_public: false,
    }];
    let planes = &app.config.planes;
    if planes.serve(PlaneName::Identity) || planes.serve(PlaneName::Tenant) {
        let router = crate::http::issuer(app).await?;
        faces.push(Face {
            what: "issuer",
            addresses: listen.issuer.clone(),
            router,
            is_public: true,
        });
    }
    Ok(faces)
}

pub use apps::faces as app_faces;

/// Where the process is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It serves.
    Serving,
    /// No connection is accepted any more; those that are open end with their next answer.
    Closing,
}

/// Listeners that are bound and not yet served: nothing is lost between saying so and serving.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<(TcpListener, Arc<Door>)>,
    addresses: Vec<(&'static str, SocketAddr)>,
    certificates: Option<Arc<Certificates>>,
    hangups: Signal,
}

impl Bound {
    /// Which face listens where, with the ports that the system picked.
    pub fn addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }

    /// Its certificate, if it speaks TLS.
    pub fn certificates(&self) -> Option<Arc<Certificates>> {
        self.certificates.clone()
    }
}

/// Binds every address of every face.
///
/// # Errors
/// [`ServeError::Listen`] for the first that can't be had, [`ServeError::Tls`]. An IPv6 loopback
/// that the machine does not have is left out, where the IPv4 one is served.
pub async fn bind(app: &App, faces: Vec<Face>) -> Result<Bound, ServeError> {
    let certificates = app.config.tls.files();
    let certificates = certificates
        .map(|(cert_file, key_file)| Certificates::load(cert_file, key_file).map(Arc::new))
        .transpose()?;
    let tls = certificates.as_ref().map(Certificates::server_config);
    let tls = tls.transpose()?;
    let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
    for face in faces {
        let door = Arc::new(Door::new(app, &face, tls.clone()));
        for listener in listen(&face).await? {
            addresses.extend(listener.local_addr().map(|at| (face.what, at)));
            listeners.push((listener, Arc::clone(&door)));
        }
    }
    Ok(Bound {
        listeners,
        addresses,
        certificates,
        hangups: signal(SignalKind::hangup()).expect("a process may listen to its own signals"),
    })
}

async fn listen(face: &Face) -> Result<Vec<TcpListener>, ServeError> {
    let mut listeners = Vec::new();
    let has_v4 = face.addresses.iter().any(SocketAddr::is_ipv4);
    for address in &face.addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(e)
                if e.kind() == io::ErrorKind::AddrNotAvailable && address.is_ipv6() && has_v4 => {}
            Err(source) => {
                return Err(ServeError::Listen {
                    address: *address,
                    what: face.what,
                    source,
                });
            }
        }
    }
    Ok(listeners)
}

/// Serves one face on one listener until it is dropped: for who has no process to end.
pub async fn attend(app: &App, face: Face, listener: TcpListener) {
    let (_serving, phase) = watch::channel(Phase::Serving);
    listener::accept(Arc::new(Door::new(app, &face, None)), listener, phase).await;
}

/// Serves until `stop`; then says so at `/readyz`, drains, closes the listeners, and lets every
/// request that has begun run to its end. The operations face is the last to go. Gives what `stop`
/// ended with.
pub async fn serve<End>(
    app: &App,
    bound: Bound,
    leaving: &Leaving,
    stop: impl Future<Output = End> + Send,
) -> End {
    let (to_public, public_phase) = watch::channel(Phase::Serving);
    let (to_operations, operations_phase) = watch::channel(Phase::Serving);
    let (mut doors, mut public, mut operations) = (Vec::new(), JoinSet::new(), JoinSet::new());
    for (listener, door) in bound.listeners {
        let (accepting, phase) = if door.is_public {
            (&mut public, public_phase.clone())
        } else {
            (&mut operations, operations_phase.clone())
        };
        accepting.spawn(listener::accept(Arc::clone(&door), listener, phase));
        doors.push(door);
    }
    app.feed.begin();
    let jobs = jobs::start(app, bound.certificates, bound.hangups);
    let end = stop.await;
    leaving.begin();
    for door in &doors {
        door.begin_closing();
    }
    tokio::time::sleep(app.config.shutdown.drain.unsigned_abs()).await;
    to_public.send_replace(Phase::Closing);
    app.feed.end();
    // What the system shook hands with is let in before the places are counted: `empty` takes
    // each that is free, and would turn the last ones away.
    while public.join_next().await.is_some() {}
    let answered = async {
        for door in doors.iter().filter(|door| door.is_public) {
            door.empty().await;
        }
    };
    let grace = app.config.shutdown.grace.unsigned_abs() + SETTLING;
    if tokio::time::timeout(grace, answered).await.is_err() {
        tracing::warn!("some answers were not finished in time");
    }
    to_operations.send_replace(Phase::Closing);
    operations.shutdown().await;
    jobs.end().await;
    end
}

/// Resolves at Ctrl-C or SIGTERM. Listens from the call on, not from the first poll: whoever is
/// told that we serve may tell us to end.
pub fn asked_to_stop() -> impl Future<Output = ()> + Send {
    let listen = |kind| signal(kind).expect("a process may listen to its own signals");
    let mut interrupt = listen(SignalKind::interrupt());
    let mut terminate = listen(SignalKind::terminate());
    async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
