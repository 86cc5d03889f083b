//! A serving process: its listeners, and what goes on beside the requests.
//!
//! Not its business: configuration, the database's standing, privileges. The command line settles
//! those first.

mod apps;
mod jobs;
mod operations;

use std::io;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::apps::registration::RegistrationError;
use crate::config::PlaneName;
use crate::db::StoreError;

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
    /// A listener broke.
    #[error("a listener broke")]
    Broken(#[source] io::Error),
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
}

/// The faces that the configuration asks for, without the apps.
///
/// # Errors
/// [`ServeError::Store`].
pub async fn faces(app: &App) -> Result<Vec<Face>, ServeError> {
    let listen = &app.config.listen;
    let mut faces = vec![Face {
        what: "operations",
        addresses: listen.operations.clone(),
        router: operations::router(app),
    }];
    let planes = &app.config.planes;
    if planes.serve(PlaneName::Identity) || planes.serve(PlaneName::Tenant) {
        let router = crate::http::issuer(app).await?;
        faces.push(Face {
            what: "issuer",
            addresses: listen.issuer.clone(),
            router,
        });
    }
    Ok(faces)
}

pub use apps::faces as app_faces;

/// Listeners that are bound and not yet served: nothing is lost between saying so and serving.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<(TcpListener, Router)>,
    addresses: Vec<(&'static str, SocketAddr)>,
}

impl Bound {
    /// Which face listens where, with the ports that the system picked.
    pub fn addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }
}

/// Binds every address of every face.
///
/// # Errors
/// [`ServeError::Listen`] for the first that can't be had. An IPv6 loopback that the machine does
/// not have is left out, where the IPv4 one is served.
pub async fn bind(faces: Vec<Face>) -> Result<Bound, ServeError> {
    let (mut listeners, mut bound) = (Vec::new(), Vec::new());
    for Face {
        what,
        addresses,
        router,
    } in faces
    {
        let has_v4 = addresses.iter().any(SocketAddr::is_ipv4);
        for address in addresses {
            match TcpListener::bind(address).await {
                Ok(listener) => {
                    bound.push((what, listener.local_addr().unwrap_or(address)));
                    listeners.push((listener, router.clone()));
                }
                Err(e)
                    if e.kind() == io::ErrorKind::AddrNotAvailable
                        && address.is_ipv6()
                        && has_v4 => {}
                Err(source) => {
                    return Err(ServeError::Listen {
                        address,
                        what,
                        source,
                    });
                }
            }
        }
    }
    Ok(Bound {
        listeners,
        addresses: bound,
    })
}

/// Serves until `stop`, then lets every request that has begun be answered.
///
/// # Errors
/// [`ServeError::Broken`] if a listener fails.
pub async fn serve(
    app: &App,
    bound: Bound,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (stopping, stopped) = watch::channel(false);
    let mut serving = JoinSet::new();
    for (listener, router) in bound.listeners {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let mut stopped = stopped.clone();
        serving.spawn(async move {
            axum::serve(listener, service)
                .with_graceful_shutdown(async move {
                    // An error means that the sender is gone: stop as well.
                    let _ = stopped.wait_for(|stopped| *stopped).await;
                })
                .await
        });
    }
    let mut jobs = jobs::start(app);
    tokio::pin!(stop);
    let outcome = tokio::select! {
        () = &mut stop => Ok(()),
        Some(ended) = serving.join_next() => match ended {
            Ok(outcome) => outcome.map_err(ServeError::Broken),
            Err(panic) => Err(ServeError::Broken(io::Error::other(panic))),
        },
    };
    stopping.send_replace(true);
    while serving.join_next().await.is_some() {}
    jobs.shutdown().await;
    outcome
}

/// Resolves at Ctrl-C or SIGTERM.
pub async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate =
        signal(SignalKind::terminate()).expect("a process may listen to its own signals");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
