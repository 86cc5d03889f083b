//! What people did and what they were told, in an order that says what was before what.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use uuid::Uuid;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// With the password of so many changes.
    SignIn { person: usize, password: usize },
    /// A code for tokens.
    Redeem { person: usize },
    /// The token of this generation.
    Refresh {
        family: Uuid,
        sid: Uuid,
        generation: u32,
    },
    /// The end of a session.
    Logout { sid: Uuid },
    /// Of the password of so many changes to the next.
    ChangePassword { person: usize, from: usize },
}

/// A token response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) refresh: String,
    pub(crate) access: String,
    pub(crate) id_token: String,
    pub(crate) family: Uuid,
    pub(crate) generation: u32,
    pub(crate) sid: Uuid,
    /// What its tokens are signed with.
    pub(crate) kids: BTreeSet<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Acknowledged.
    Done(Option<Box<Tokens>>),
    /// The server said no.
    Refused(String),
    /// Nobody said anything.
    Unknown,
}

/// One deed, between two instants of a clock that only counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) deed: Deed,
    pub(crate) outcome: Outcome,
}

impl Entry {
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.outcome, Outcome::Done(_))
    }

    pub(crate) const fn is_unknown(&self) -> bool {
        matches!(self.outcome, Outcome::Unknown)
    }

    pub(crate) fn tokens(&self) -> Option<&Tokens> {
        match &self.outcome {
            Outcome::Done(tokens) => tokens.as_deref(),
            Outcome::Refused(_) | Outcome::Unknown => None,
        }
    }
}

/// Everything, when all is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    /// What no answer may be, and what no instant may show: as it was seen.
    pub(crate) seen: Vec<String>,
}

/// The log while it is written.
#[derive(Debug)]
pub(crate) struct Journal {
    clock: AtomicU64,
    log: Mutex<Log>,
    done: watch::Sender<usize>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self {
            clock: AtomicU64::new(1),
            log: Mutex::default(),
            done: watch::Sender::new(0),
        }
    }

    pub(crate) fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn note(&self, sent: u64, deed: Deed, outcome: Outcome) {
        let entry = Entry {
            sent,
            answered: self.tick(),
            deed,
            outcome,
        };
        let is_done = entry.is_done();
        self.log.lock().unwrap().entries.push(entry);
        if is_done {
            self.done.send_modify(|count| *count += 1);
        }
    }

    pub(crate) fn saw(&self, what: String) {
        self.log.lock().unwrap().seen.push(what);
    }

    /// Waits until `more` deeds than now are acknowledged.
    pub(crate) async fn progress(&self, more: usize) {
        let mut done = self.done.subscribe();
        let target = *done.borrow() + more;
        done.wait_for(|count| *count >= target)
            .await
            .expect("the journal is there");
    }

    pub(crate) fn read(&self) -> Log {
        self.log.lock().unwrap().clone()
    }
}
