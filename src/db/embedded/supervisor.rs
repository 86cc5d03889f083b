//! The thread that owns the server process: it starts it, learns of its end, and stops it.

use std::{
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tokio::sync::watch;

use super::{EmbeddedError, error::At as _, lock::Lock, log::Log, processes::send};

/// How long each kind of shutdown may take: fast, immediate, none at all.
const SHUTDOWN: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(30)),
    (Signal::QUIT, Duration::from_secs(30)),
    (Signal::KILL, Duration::from_secs(30)),
];

/// The server's end, wanted or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The exit status in words, such as `signal: 9 (SIGKILL)`.
    pub status: String,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Stop,
    Ended,
}

/// A handle to the thread. Dropped, it asks the server to stop and does not wait.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub(super) pid: u32,
    events: mpsc::Sender<Event>,
    ended: watch::Receiver<Option<Ended>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Supervisor {
    /// Starts the server. The kernel interrupts it when the thread that forks it ends, hence a
    /// thread of its own, which also keeps the cluster's lock as long as the server lives.
    pub(super) fn spawn(mut server: Command, lock: Lock, log: &Log) -> Result<Self, EmbeddedError> {
        server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let (events, inbox) = mpsc::channel();
        let (announce, ended) = watch::channel(None);
        let (report, started) = mpsc::channel();
        let (log, own_end) = (log.clone(), events.clone());
        let supervise = move || {
            let started = server.spawn().and_then(|mut child| {
                if let Some(said) = child.stderr.take() {
                    log.follow(said)?;
                }
                watch_for_end(child.id(), own_end)?;
                Ok(child)
            });
            match started {
                Ok(child) => {
                    let _ = report.send(Ok(child.id()));
                    let status = see_to_the_end(child, &inbox);
                    let _ = announce.send(Some(Ended { status }));
                }
                Err(e) => drop(report.send(Err(e))),
            }
            drop(lock);
        };
        let thread = thread::Builder::new()
            .name("postgres".into())
            .spawn(supervise);
        let thread = thread.at("cannot start a thread for", "postgres")?;
        let lost = || Err(std::io::ErrorKind::BrokenPipe.into());
        let pid = started
            .recv()
            .unwrap_or_else(|_| lost())
            .at("cannot run", "setpriv")?;
        Ok(Self {
            pid,
            events,
            ended,
            thread: Some(thread),
        })
    }

    /// How the server ended, if it has.
    pub(super) fn has_ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    /// Resolves when the server has ended.
    pub(super) fn ended(&self) -> impl Future<Output = Ended> + Send + 'static {
        let mut ended = self.ended.clone();
        async move {
            let gone = Ended {
                status: "unknown".to_owned(),
            };
            ended
                .wait_for(Option::is_some)
                .await
                .map_or(None, |e| e.clone())
                .unwrap_or(gone)
        }
    }

    /// Stops the server and waits for its end.
    pub(super) fn stop(mut self) {
        let _ = self.events.send(Event::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Stop);
    }
}

/// Reports the process's end without reaping it: until [`see_to_the_end`] does, its id can't be
/// reused, so that a signal always meets the right process.
fn watch_for_end(pid: u32, events: mpsc::Sender<Event>) -> std::io::Result<()> {
    let watch = move || {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let look = || {
                waitid(
                    WaitId::Pid(pid),
                    WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
                )
            };
            while look().is_err_and(|e| e == rustix::io::Errno::INTR) {}
        }
        let _ = events.send(Event::Ended);
    };
    thread::Builder::new()
        .name("postgres-end".into())
        .spawn(watch)
        .map(drop)
}

/// Waits for the end or the wish to stop, and reaps. Returns the exit status in words.
fn see_to_the_end(mut child: Child, inbox: &mpsc::Receiver<Event>) -> String {
    if let Ok(Event::Stop) = inbox.recv() {
        for (signal, patience) in SHUTDOWN {
            send(child.id(), signal);
            if ends_within(patience, inbox) {
                break;
            }
        }
    }
    child
        .wait()
        .map_or_else(|e| e.to_string(), |status| status.to_string())
}

fn ends_within(patience: Duration, inbox: &mpsc::Receiver<Event>) -> bool {
    loop {
        match inbox.recv_timeout(patience) {
            Ok(Event::Stop) => {}
            Ok(Event::Ended) => return true,
            Err(_) => return false,
        }
    }
}
