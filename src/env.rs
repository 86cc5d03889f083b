//! Time and randomness are inputs: everything that needs them takes an [`Env`].
//!
//! In production the clock follows the database's, so that replicas agree; in tests it stands
//! where the test puts it. Only the seal's expiry is always real time (design §3).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ring::rand::SecureRandom as _;
use time::OffsetDateTime;
use uuid::Uuid;

/// Where "now" comes from. UTC.
pub trait Clock: Send + Sync {
    /// The present instant, UTC.
    fn now(&self) -> OffsetDateTime;

    /// Hears what the database's clock says. One that a test moves does not listen.
    fn follow(&self, _database_now: OffsetDateTime) {}
}

/// Where unpredictable bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills `dest` with bytes nobody can predict.
    fn fill(&self, dest: &mut [u8]);
}

/// The outside a use case may see besides the database.
#[derive(Clone)]
pub struct Env {
    /// The clock, UTC.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}

impl Env {
    /// The machine's clock and the operating system's randomness.
    pub fn system() -> Self {
        Self {
            clock: Arc::new(DatabaseClock::default()),
            entropy: Arc::new(SystemEntropy::new()),
        }
    }

    /// The present instant, UTC.
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// A random (version 4) UUID: 122 unpredictable bits, no time in it.
    pub fn random_uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// `N` unpredictable bytes.
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }
}

/// The operating system's randomness.
pub struct SystemEntropy(ring::rand::SystemRandom);

impl fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemEntropy")
    }
}

impl SystemEntropy {
    /// One handle; the state is the kernel's.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where randomness enters"
    )]
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, dest: &mut [u8]) {
        self.0
            .fill(dest)
            .expect("the operating system gives randomness or nothing can go on");
    }
}

/// The machine's clock, moved by what the database's clock was last seen to differ.
#[derive(Debug, Default)]
pub struct DatabaseClock {
    offset_microseconds: AtomicI64,
}

impl DatabaseClock {
    /// The machine's own idea of now.
    #[expect(clippy::disallowed_methods, reason = "the one place where time enters")]
    pub fn machine_now() -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> OffsetDateTime {
        let offset = self.offset_microseconds.load(Ordering::Relaxed);
        Self::machine_now() + time::Duration::microseconds(offset)
    }

    /// Learns the difference from one reading of the database's clock.
    fn follow(&self, database_now: OffsetDateTime) {
        let offset = (database_now - Self::machine_now()).whole_microseconds();
        self.offset_microseconds
            .store(i64::try_from(offset).unwrap_or_default(), Ordering::Relaxed);
    }
}
