//! Accepting connections, and letting go of the address without losing one that is in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::Phase;
use super::connection;
use super::door::Door;
use crate::metrics::Turned;

/// Out of files: they come back when connections end.
const NO_FILES: Duration = Duration::from_millis(100);
/// How many at once are told that there is no room. The others are hung up on.
const TOLD_AT_ONCE: usize = 64;
/// How long one may take to hear it.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
    cache-control: no-store\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Accepts until the phase is closing; then what waits is let in, and the address is free.
pub(super) async fn accept(
    door: Arc<Door>,
    listener: TcpListener,
    mut phase: watch::Receiver<Phase>,
) {
    let told = Arc::new(Semaphore::new(TOLD_AT_ONCE));
    let connections = phase.clone();
    let let_in = |accepted| welcome(&door, accepted, &told, &connections);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let_in(accepted) {
                    tokio::time::sleep(NO_FILES).await;
                }
            }
            () = closing(&mut phase) => break,
        }
    }
    // The system has shaken hands with these already.
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => {
                if let_in(accepted) {
                    return;
                }
            }
            () = tokio::task::yield_now() => return,
        }
    }
}

/// Resolves when the process takes no more connections.
pub(super) async fn closing(phase: &mut watch::Receiver<Phase>) {
    // An error means that the sender is gone: that is the end too.
    let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
}

/// True: there are no files left.
fn welcome(
    door: &Arc<Door>,
    accepted: io::Result<(TcpStream, SocketAddr)>,
    told: &Arc<Semaphore>,
    phase: &watch::Receiver<Phase>,
) -> bool {
    let (stream, from) = match accepted {
        Ok(accepted) => accepted,
        // The client was gone before it was let in.
        Err(e) if is_of_one_connection(&e) => return false,
        Err(e) => {
            tracing::error!(face = door.what, detail = %e, "no connection is accepted");
            return true;
        }
    };
    match door.admit(from) {
        Ok(pass) => {
            let peer = from.ip().to_canonical();
            let served = connection::run(Arc::clone(door), pass, stream, peer, phase.clone());
            tokio::spawn(served);
        }
        Err(why) => {
            door.metrics.turned_away(door.what, why);
            let is_full = matches!(why, Turned::Connections | Turned::Peer);
            if let (true, None, Ok(place)) =
                (is_full, &door.tls, Arc::clone(told).try_acquire_owned())
            {
                tokio::spawn(async move {
                    let _place = place;
                    let _ = tokio::time::timeout(TOLD_WITHIN, tell(stream)).await;
                });
            }
        }
    }
    false
}

/// Says that there is no room, and reads until the other end has heard it: a connection that is
/// closed with unread bytes is reset, and the answer with it.
async fn tell(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(NO_ROOM).await?;
    stream.shutdown().await?;
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
