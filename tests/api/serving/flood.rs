//! Thousands of clients that take their time, all at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration as Real;

use axum::body::Bytes;
use axum::routing::get;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::{host, until_closed};
use crate::lab::{Lab, attend};

/// DOS-03's number.
const ASKED: u64 = 5_000;
/// Open files that the rest of the process needs.
const OF_OTHERS: u64 = 2_000;
/// Of one network; the default lets 256 in.
const PER_NETWORK: usize = 277;
/// So many are connecting at once: what is under test comes after that.
const CONNECTING: usize = 64;
/// Between two bytes of a slow client.
const PAUSE: Real = Real::from_secs(2);
/// An answer that no socket's buffers hold.
const LONG: usize = 4 << 20;
/// The face that they come to.
const FACE: &str = "flooded";

/// How many the open files of this process allow, both ends of each: the limit is raised to what
/// the system lets it be raised to.
fn room() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: most,
        },
    )
    .unwrap();
    let files = most.unwrap_or(u64::MAX);
    let room = (files.saturating_sub(OF_OTHERS) / 2).min(ASKED);
    assert!(room >= 600, "{files} open files are too few");
    usize::try_from(room).unwrap()
}

/// What a client is slow in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slow {
    Head,
    Body,
    Reading,
}

/// How a client was got rid of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Before it had its time: told to come back, or hung up on.
    Refused,
    /// Its time was over.
    TimedOut,
}

struct Client {
    slow: Slow,
    from: Ipv4Addr,
    begins: String,
    /// How long the configuration gives it.
    bound: Real,
}

impl Client {
    async fn connect(&self, at: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        // Its own buffer takes next to nothing of the answer.
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind((self.from, 0).into()).unwrap();
        socket.connect(at).await.unwrap()
    }

    /// Until the server has closed it; a reader, until `over` says that the server has.
    async fn live(
        self,
        at: SocketAddr,
        connecting: Arc<Semaphore>,
        mut over: watch::Receiver<bool>,
    ) -> (Slow, End) {
        let place = connecting.acquire().await.unwrap();
        let began = Instant::now();
        let mut stream = self.connect(at).await;
        drop(place);
        let mut said = Vec::new();
        // One that is refused may be gone by now.
        let mut is_open = stream.write_all(self.begins.as_bytes()).await.is_ok();
        let mut byte = [0];
        while is_open && !*over.borrow_and_update() {
            if self.slow == Slow::Reading {
                let _ = timeout(PAUSE, over.changed()).await;
            }
            match timeout(PAUSE, stream.read(&mut byte)).await {
                Ok(Ok(1..)) => said.push(byte[0]),
                Ok(Ok(0) | Err(_)) => is_open = false,
                Err(_) if self.slow == Slow::Reading => {}
                Err(_) => is_open = stream.write_all(b"x").await.is_ok(),
            }
        }
        let lived = began.elapsed();
        let mut text = String::from_utf8(said).unwrap();
        text += &until_closed(&mut stream).await;
        (self.slow, self.judge(&text, lived))
    }

    /// What it was told, and for how long it was listened to, agree.
    fn judge(&self, said: &str, lived: Real) -> End {
        if self.slow == Slow::Reading && said.starts_with("HTTP/1.1 200 ") {
            assert!(said.len() < LONG, "it had the whole answer");
            return End::TimedOut;
        }
        assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
        let is_told = said.starts_with("HTTP/1.1 503 ") && said.contains("\r\nretry-after: 1\r\n");
        if is_told || self.slow == Slow::Reading || lived < self.bound {
            assert!(said.is_empty() || is_told, "{:?}: {said}", self.slow);
            return End::Refused;
        }
        End::TimedOut
    }
}

/// A third slow in each way, in so many networks that a few of each are over its bound.
fn clients(lab: &Lab, count: usize) -> impl Iterator<Item = Client> {
    let limits = &lab.app.config.limits;
    let (head, body) = (limits.head_time, limits.body_time);
    let write = limits.write_time;
    let host = host(lab);
    (0..count).map(move |number| {
        let line = format!("HTTP/1.1\r\nHost: {host}\r\n");
        let (slow, bound, begins) = match number % 3 {
            0 => (Slow::Head, head, format!("GET /jwks {line}X: ")),
            1 => {
                let kind = "Content-Type: application/x-www-form-urlencoded";
                let head = format!("POST /token {line}{kind}\r\nContent-Length: 9000\r\n\r\n");
                (Slow::Body, body, format!("{head}a="))
            }
            _ => (Slow::Reading, write, format!("GET /long {line}\r\n")),
        };
        let network = u8::try_from(number / PER_NETWORK).unwrap();
        Client {
            slow,
            from: Ipv4Addr::new(127, 9, network, 1),
            begins,
            bound: bound.unsigned_abs(),
        }
    })
}

/// The issuer and an answer that is long, at a face of their own.
async fn flooded(lab: &Lab) -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    // On the loopback the system would keep megabytes for each reader, which no network asks for.
    socket.set_send_buffer_size(16 << 10).unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(4096).unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Bytes::from(vec![b'a'; LONG]);
    let long = get(async move || answer.clone());
    let router = lanyard::http::issuer(&lab.app).await.unwrap();
    attend(&lab.app, FACE, router.route("/long", long), listener);
    address
}

/// A number of `/metrics` about the face.
fn number(lab: &Lab, series: &str) -> usize {
    let text = lab.app.metrics.text(&lab.app);
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

fn open(lab: &Lab) -> usize {
    number(lab, &format!("lanyard_connections{{face=\"{FACE}\"}}"))
}

fn turned_away(lab: &Lab, why: &str) -> usize {
    let labels = format!("{{face=\"{FACE}\",reason=\"{why}\"}}");
    number(lab, &format!("lanyard_turned_away_total{labels}"))
}

/// Asks for a document and for a page that the database is needed for, until no connection is
/// open; says how often, and how many were open at the most.
async fn go_on_asking(lab: &Lab, at: SocketAddr, connecting: &Semaphore) -> (usize, usize) {
    let (mut served, mut most) = (0, 0);
    loop {
        // Another one each time: its connections end with it.
        let browser = lab.browser().through(at);
        let keys = browser.get("/jwks").await;
        assert_eq!(keys.status, 200, "{} open", open(lab));
        let page = browser.visit("/account").await;
        assert_eq!(page.status, 200, "{} open: {}", open(lab), page.body);
        served += 2;
        drop(browser);
        let now = open(lab);
        most = most.max(now);
        if now == 0 && most > CONNECTING && connecting.available_permits() == CONNECTING {
            return (served, most);
        }
        tokio::time::sleep(Real::from_millis(50)).await;
    }
}

/// DOS-03, at its own size and with the bounds as they are by default: slow in the head, in the
/// body and in reading. Who is over a network's bound is refused at once, all others are closed
/// when their time is over, and other people are served all the while.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_slow_clients_are_got_rid_of_and_others_are_served() {
    let count = room();
    let lab = Lab::with(|config| config.limits.connections = 8_000).await;
    let per_network = usize::try_from(lab.app.config.limits.connections_per_peer).unwrap();
    let at = flooded(&lab).await;
    let connecting = Arc::new(Semaphore::new(CONNECTING));
    let (tell, over) = watch::channel(false);
    let mut slow = JoinSet::new();
    for client in clients(&lab, count) {
        slow.spawn(client.live(at, Arc::clone(&connecting), over.clone()));
    }
    let (served, most) = go_on_asking(&lab, at, &connecting).await;
    tell.send(true).unwrap();
    let ends = slow.join_all().await;
    let of = |which: End| ends.iter().filter(|(_, end)| *end == which).count();
    let refused = of(End::Refused);
    let over_its_network = turned_away(&lab, "peer");
    println!(
        "{count} clients: {most} open at once, {over_its_network} refused; {served} others answered"
    );
    assert!(most > count / 4);
    // Where this machine is late, one that was hung up on unheard looks like one whose time was
    // over.
    assert!(0 < refused && refused <= over_its_network);
    assert!(over_its_network <= count - per_network * (count / PER_NETWORK));
    for why in ["connections", "requests", "late", "ambiguous"] {
        assert_eq!(turned_away(&lab, why), 0, "{why}");
    }
    for slow in [Slow::Head, Slow::Body, Slow::Reading] {
        let closed = ends.iter().filter(|end| **end == (slow, End::TimedOut));
        assert!(closed.count() > count / 4, "{slow:?}");
    }
}
