//! Moments at which a test has the process end as by `kill -9`: nothing is rolled back, flushed or
//! answered any more.
//!
//! They are there with debug assertions alone. Of a release nothing of this is part, as
//! `tests/chaos/faults/release.rs` finds out with the compiler.

/// The variable that names a file; while that holds `POINT`, or `POINT EVENT`, whoever passes there
/// ends. Read anew each time: a test arms a point when all is set, and disarms it.
#[cfg(debug_assertions)]
const VARIABLE: &str = "FAULT_POINT_FILE";

/// A moment, by what was just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A change is made; its event is not written.
    Changed,
    /// Both are written, neither is committed.
    Recorded,
    /// Both are committed; nobody was answered.
    Committed,
    /// Events have their places in the log, uncommitted.
    Placing,
    /// They have them.
    Placed,
    /// A checkpoint is signed and committed; the anchor does not know it.
    Signed,
    /// The anchor knows it; the database does not know that.
    Anchored,
    /// Letters are taken out to be sent.
    MailTaken,
    /// One is sent, and not marked so.
    MailSent,
    /// It is marked.
    MailMarked,
    /// What ended has positions, uncommitted: nobody was woken.
    Positioning,
    /// It has them; no subscriber was told by this process.
    Positioned,
    /// A subscriber's messages are ready to be sent.
    Telling,
}

/// Whose moment it is, for a transaction: the events that it wrote.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    #[cfg(debug_assertions)]
    events: Vec<&'static str>,
}

#[cfg(debug_assertions)]
impl Trail {
    /// An event was written.
    pub(crate) fn note(&mut self, event: &'static str) {
        self.events.push(event);
    }

    /// As [`pass`], for each of the events.
    pub(crate) fn pass(&self, point: Point) {
        for event in &self.events {
            pass(point, event);
        }
    }
}

/// Ends the process here, if a test wants that.
///
/// - `event`: whose moment it is, if it is an event's
#[cfg(debug_assertions)]
pub(crate) fn pass(point: Point, event: &str) {
    use std::sync::OnceLock;
    static FILE: OnceLock<Option<std::path::PathBuf>> = OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os(VARIABLE).map(Into::into));
    let Some(armed) = file.as_ref().and_then(|f| std::fs::read_to_string(f).ok()) else {
        return;
    };
    if armed == format!("{point:?}") || armed == format!("{point:?} {event}") {
        use rustix::process::{Signal, getpid, kill_process};
        // Nobody can be kept from ending himself, and there is nobody left to tell.
        let _ = kill_process(getpid(), Signal::KILL);
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
impl Trail {
    /// Nothing, in a release.
    pub(crate) const fn note(&mut self, _: &'static str) {}

    /// Nothing, in a release.
    pub(crate) const fn pass(&self, _: Point) {}
}

/// Nothing, in a release.
#[cfg(not(debug_assertions))]
pub(crate) const fn pass(_: Point, _: &str) {}
