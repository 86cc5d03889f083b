//! `lanyard healthcheck`: one question to a running server.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::output::{Failure, Reply};
use super::site;
use crate::config::Given;

/// A server that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(address: Option<SocketAddr>, given: &Given) -> Result<Reply, Failure> {
    let address = match address {
        Some(address) => address,
        None => *site::configuration(given)?
            .config()
            .listen
            .operations
            .first()
            .ok_or_else(|| Failure::usage("no operations address", "Name one with --address."))?,
    };
    let answer =
        site::runtime()?.block_on(async { tokio::time::timeout(PATIENCE, ask(address)).await });
    let status = match answer {
        Ok(Ok(status)) => status,
        Ok(Err(e)) => return Err(not_there(address, &e.to_string())),
        Err(_) => return Err(not_there(address, "no answer within 5 s")),
    };
    let facts = json!({ "address": address.to_string(), "ready": status == 200 });
    if status == 200 {
        return Ok(Reply::new(&facts, "ready"));
    }
    Ok(Reply::new(&facts, format!("not ready: the server answered {status}")).refused())
}

fn not_there(address: SocketAddr, why: &str) -> Failure {
    Failure::failed(
        format!("no server answers at {address}: {why}"),
        "Is `lanyard serve` running, with this listen.operations?",
    )
}

/// One request by hand: loopback or a pod's own network, no TLS, no redirect, no proxy.
async fn ask(address: SocketAddr) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12]; // "HTTP/1.1 200"
    stream.read_exact(&mut head).await?;
    let status = std::str::from_utf8(&head[9..])
        .ok()
        .and_then(|s| s.parse().ok());
    status.ok_or(std::io::ErrorKind::InvalidData.into())
}
