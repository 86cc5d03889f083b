//! The apps of a lab, on loopback ports of their own.

use std::net::Ipv4Addr;

use lanyard::apps::{self, Kind, registration};
use lanyard::config::{self, Config};
use tokio::net::TcpListener;

use super::server::{Lab, attend};

/// Listeners for the apps; their ports must be known before there is a server.
#[derive(Debug)]
pub(crate) struct AppsOfALab {
    listeners: Vec<(Kind, TcpListener)>,
}

impl AppsOfALab {
    /// Takes a port for each.
    pub(crate) async fn bind() -> Self {
        let mut listeners = Vec::new();
        for kind in Kind::ALL {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            listeners.push((kind, listener));
        }
        Self { listeners }
    }

    /// Says in a configuration where they are.
    pub(crate) fn configure(&self, config: &mut Config) {
        for (kind, listener) in &self.listeners {
            let port = listener.local_addr().unwrap().port();
            let app = match kind {
                Kind::Patient => &mut config.apps.patient,
                Kind::Clinician => &mut config.apps.clinician,
                Kind::Console => &mut config.apps.console,
                Kind::Platform => &mut config.apps.platform,
            };
            *app = config::App {
                url: format!("http://localhost:{port}").parse().unwrap(),
                listen: Vec::new(),
            };
        }
    }

    /// Registers them for these clinics and serves them as long as the test runs.
    pub(crate) async fn serve(self, lab: &Lab, slugs: &[&str]) {
        Self::register(lab, slugs).await;
        self.attend(lab).await;
    }

    /// Registers them for these clinics.
    pub(crate) async fn register(lab: &Lab, slugs: &[&str]) {
        lab.platform().await;
        for kind in Kind::ALL {
            registration::register(&lab.app, kind, slugs).await.unwrap();
        }
    }

    /// Serves them, registered already, as long as the test runs.
    pub(crate) async fn attend(self, lab: &Lab) {
        let routers = apps::routers(&lab.app).await.unwrap();
        for ((kind, listener), (routed, router)) in self.listeners.into_iter().zip(routers) {
            assert_eq!(kind, routed);
            attend(&lab.app, kind.word(), router, listener);
        }
    }
}
