//! Who comes in by one face: how many, from where, and how long each may take.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use rustls::ServerConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Face;
use super::pace::Pace;
use crate::app::App;
use crate::config::Proxy;
use crate::http::peer;
use crate::metrics::{Metrics, Turned};

/// Open connections by network.
type Peers = Arc<Mutex<HashMap<String, u32>>>;

/// A face while it is served; all its listeners share it.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) what: &'static str,
    pub(super) router: Router,
    pub(super) pace: Pace,
    pub(super) proxy: Proxy,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) metrics: Metrics,
    /// Answers say that the connection ends with them.
    pub(super) is_closing: AtomicBool,
    requests: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    most: u32,
    most_requests: u32,
    most_per_peer: u32,
    peers: Peers,
    pub(super) is_public: bool,
}

/// A connection that was let in; its place is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Pass {
    _place: OwnedSemaphorePermit,
    peers: Option<(Peers, String)>,
    metrics: Metrics,
    what: &'static str,
}

impl Door {
    pub(super) fn new(app: &App, face: &Face, tls: Option<Arc<ServerConfig>>) -> Self {
        let limits = &app.config.limits;
        let seats = |n: u32| Arc::new(Semaphore::new(n as usize));
        Self {
            what: face.what,
            router: face.router.clone(),
            pace: Pace::from(limits),
            proxy: app.config.proxy.clone(),
            tls: tls.filter(|_| face.is_public),
            metrics: app.metrics.clone(),
            is_closing: AtomicBool::new(false),
            requests: seats(limits.requests),
            connections: seats(limits.connections),
            most: limits.connections,
            most_requests: limits.requests,
            most_per_peer: limits.connections_per_peer,
            peers: Arc::default(),
            is_public: face.is_public,
        }
    }

    /// Lets a connection in, or says why not. Plain HTTP is for this machine and declared proxies.
    pub(super) fn admit(&self, from: SocketAddr) -> Result<Pass, Turned> {
        let ip = from.ip().to_canonical();
        let is_proxy = self.proxy.is_trusted(ip);
        let is_plain = self.is_public && self.tls.is_none();
        if is_plain && !may_speak_plainly(ip, &self.proxy) {
            return Err(Turned::NoProxy);
        }
        let place = Arc::clone(&self.connections).try_acquire_owned();
        let place = place.map_err(|_| Turned::Connections)?;
        let peers = if is_proxy {
            None
        } else {
            Some(self.count(ip)?)
        };
        self.metrics.connection_opened(self.what);
        Ok(Pass {
            _place: place,
            peers,
            metrics: self.metrics.clone(),
            what: self.what,
        })
    }

    fn count(&self, ip: IpAddr) -> Result<(Peers, String), Turned> {
        let network = peer::network(ip);
        let mut peers = self.peers.lock().expect("no panic happens under this lock");
        let open = peers.entry(network.clone()).or_default();
        if *open >= self.most_per_peer {
            return Err(Turned::Peer);
        }
        *open += 1;
        Ok((Arc::clone(&self.peers), network))
    }

    /// A seat for one request, if there is one.
    pub(super) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.requests).try_acquire_owned().ok()
    }

    pub(super) fn begin_closing(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    /// Until every connection is over and every request that was begun has run to its end.
    pub(super) async fn empty(&self) {
        // Errors mean a closed semaphore, and ours never close.
        let _connections = self.connections.acquire_many(self.most).await;
        let _requests = self.requests.acquire_many(self.most_requests).await;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.metrics.connection_closed(self.what);
        let Some((peers, network)) = &self.peers else {
            return;
        };
        let mut peers = peers.lock().expect("no panic happens under this lock");
        if let Some(open) = peers.get_mut(network) {
            *open -= 1;
            if *open == 0 {
                peers.remove(network);
            }
        }
    }
}

/// Plain HTTP goes no further than this machine, or a proxy that ends TLS in front.
fn may_speak_plainly(from: IpAddr, proxy: &Proxy) -> bool {
    from.is_loopback() || proxy.is_trusted(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HTTP-11: who comes by plain HTTP from elsewhere, and through no declared proxy, is hung up
    /// on.
    #[test]
    fn plain_http_is_for_this_machine_and_declared_proxies() {
        let none = Proxy::default();
        let proxy = Proxy {
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
        };
        let may = |ip: &str, proxy: &Proxy| may_speak_plainly(ip.parse().unwrap(), proxy);
        for loopback in ["127.0.0.1", "127.9.9.9", "::1"] {
            assert!(may(loopback, &none), "{loopback}");
        }
        for elsewhere in ["10.0.0.1", "192.0.2.1", "2001:db8::1", "::ffff:10.0.0.1"] {
            assert!(!may(elsewhere, &none), "{elsewhere}");
        }
        assert!(may("10.0.0.1", &proxy) && !may("11.0.0.1", &proxy));
    }
}
