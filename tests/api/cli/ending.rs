//! A server that is told to end while it is used.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::command::{Served, Site};

const CLIENTS: usize = 4;

/// Asks for something on a kept connection; true: the server ends it with this answer. An answer
/// that does not come whole is an error.
fn ask(stream: &mut TcpStream, path: &str) -> io::Result<bool> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let (mut said, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        said.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&said).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        if body.len() < length.unwrap_or(0_usize) {
            continue;
        }
        assert!(head.starts_with("http/1.1 200"), "{head}");
        return Ok(head.contains("connection: close"));
    }
}

/// Asks again and again until no connection is to be had. Gives what was lost: requests on a
/// connection that the server had answered on, and then did not.
fn use_until_gone(at: SocketAddr, answered: &AtomicUsize) -> Vec<io::Error> {
    let mut lost = Vec::new();
    while let Ok(mut stream) = TcpStream::connect(at) {
        let mut is_taken = false;
        loop {
            match ask(&mut stream, "/jwks") {
                Ok(is_last) => {
                    is_taken = true;
                    answered.fetch_add(1, Ordering::Relaxed);
                    if is_last {
                        break;
                    }
                }
                // The system shook hands as the listener went: the process never had it.
                Err(_) if !is_taken => break,
                Err(error) => {
                    lost.push(error);
                    break;
                }
            }
        }
    }
    lost
}

/// Issue 3: told to end, a server says so at `/readyz` first, serves on for as long as it was told
/// to, ends each kept connection with an answer, and loses none. SIGHUP ends nothing.
#[test]
fn a_server_that_ends_loses_no_request_that_it_took() {
    let site = Site::new();
    site.ask("keys init");
    site.run("migrate");
    let mut command = site.command("serve -o json");
    command.env("LANYARD_SHUTDOWN_DRAIN", "1s");
    let mut served = Served::start_as(&mut command);
    let ready = served.next();
    let at = |face: &str| -> SocketAddr {
        let addresses = &ready["listening"][face];
        addresses[0].as_str().unwrap().parse().unwrap()
    };
    let (issuer, operations) = (at("issuer"), at("operations"));
    served.ask("-HUP");
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let answered = Arc::clone(&answered);
            std::thread::spawn(move || use_until_gone(issuer, &answered))
        })
        .collect();
    // Kept and at rest: a request that crosses with the end is answered too.
    let mut resting = TcpStream::connect(issuer).unwrap();
    assert!(!ask(&mut resting, "/jwks").unwrap());
    while answered.load(Ordering::Relaxed) < 50 {
        std::thread::yield_now();
    }
    served.ask("-TERM");
    while !is_leaving(operations) {
        std::thread::yield_now();
    }
    assert!(ask(&mut resting, "/jwks").unwrap(), "the last one says so");
    for client in clients {
        let lost = client.join().unwrap();
        assert!(lost.is_empty(), "{lost:?}");
    }
    assert_eq!(served.wait(), Some(0));
}

fn is_leaving(operations: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(operations).unwrap();
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said.contains("503") && said.contains(r#""failing":["leaving"]"#)
}
