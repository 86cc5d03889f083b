//! Where "now" comes from.

use time::OffsetDateTime;

/// Tells the time. An API passes its own in tests; [`SystemClock`] is the default.
pub trait Clock: Send + Sync {
    /// The present instant, UTC.
    fn now(&self) -> OffsetDateTime;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where real time comes in"
    )]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}
