//! The serving loop: bytes on a socket, slow and many clients, panics, TLS, proxies, the end.

mod crowds;
mod flood;
mod framing;
mod metrics;
mod panics;
mod proxies;
mod readiness;
mod slow;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use lanyard::app::App;
use lanyard::server::{self, Leaving};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::lab::{Lab, attend};

/// A socket to the server from an address of the loopback network.
async fn connect(at: SocketAddr, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(at).await.unwrap()
}

/// Everything that the server says until it closes; what it resets counts as closed.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut part).await {
        said.extend_from_slice(&part[..read]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Sends bytes and gives everything that comes back until the server closes.
async fn exchange(lab: &Lab, bytes: &[u8]) -> String {
    let mut stream = connect(lab.address, Ipv4Addr::LOCALHOST).await;
    // It may close before it has all.
    let _ = stream.write_all(bytes).await;
    until_closed(&mut stream).await
}

fn host(lab: &Lab) -> String {
    format!("localhost:{}", lab.address.port())
}

/// A router of the test's own behind the loop of production.
async fn beside(app: &App, router: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    attend(app, "issuer", router, listener);
    address
}

/// The operations face of a lab, served; its address.
pub(crate) async fn operations(lab: &Lab, leaving: &Leaving) -> String {
    let faces = server::faces(&lab.app, leaving).await.unwrap();
    let face = faces.into_iter().find(|face| face.what == "operations");
    format!("http://{}", beside(&lab.app, face.unwrap().router).await)
}
