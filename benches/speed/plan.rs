//! How long and how often: the full measurement, a quick look, or a smoke of seconds.

use std::time::Duration;

use crate::load::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What docs/PERFORMANCE.md says.
    Full,
    /// While one works.
    Quick,
    /// Whether everything still runs: a few operations each, and no figure means anything.
    Smoke,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) depth: Depth,
}

impl Plan {
    fn pick<T>(self, full: T, quick: T, smoke: T) -> T {
        match self.depth {
            Depth::Full => full,
            Depth::Quick => quick,
            Depth::Smoke => smoke,
        }
    }

    /// How often the two that are compared take turns.
    pub(crate) fn rounds(self) -> usize {
        self.pick(7, 3, 1)
    }

    /// One turn of one of them.
    pub(crate) fn turn(self) -> Span {
        Span {
            warmup: Duration::from_millis(self.pick(500, 300, 0)),
            measured: Duration::from_millis(self.pick(3000, 2000, 30_000)),
            most: self.pick(u32::MAX, u32::MAX, 8),
            forgives: self.depth == Depth::Smoke,
        }
    }

    /// The same where an operation takes a tenth of a second and more.
    pub(crate) fn turn_of_hashes(self) -> Span {
        Span {
            warmup: Duration::from_millis(self.pick(1500, 1000, 0)),
            measured: Duration::from_millis(self.pick(6000, 3000, 30_000)),
            ..self.turn()
        }
    }

    /// The same where what came a second before is still at work.
    pub(crate) fn turn_of_logs(self) -> Span {
        Span {
            warmup: Duration::from_millis(self.pick(2500, 1500, 0)),
            measured: Duration::from_millis(self.pick(6000, 3000, 30_000)),
            ..self.turn()
        }
    }

    /// Before such a turn and after it, cores hash so long by themselves.
    pub(crate) fn hashing(self) -> Duration {
        Duration::from_millis(self.pick(3000, 1500, 1))
    }

    /// Transactions of each kind in a turn.
    pub(crate) fn transactions(self) -> u32 {
        self.pick(400, 400, 5)
    }

    /// Clients at once.
    pub(crate) fn clients(self) -> &'static [usize] {
        self.pick(&[16, 64], &[16, 64], &[4])
    }

    /// Rows of the large table.
    pub(crate) fn stored_families(self) -> u32 {
        self.pick(1_000_000, 100_000, 1000)
    }

    /// How long memory is loaded for.
    pub(crate) fn long(self) -> Span {
        Span {
            measured: Duration::from_millis(self.pick(60_000, 10_000, 30_000)),
            ..self.turn()
        }
    }

    /// Sign-ins in flight.
    pub(crate) fn sign_ins(self) -> usize {
        self.pick(64, 64, 4)
    }

    /// People of a site: those who refresh, and after them those who sign in.
    pub(crate) fn people(self) -> usize {
        self.clients().iter().max().unwrap_or(&0) + self.sign_ins()
    }

    /// Times that something is done once, such as a start.
    pub(crate) fn once_each(self) -> usize {
        self.pick(15, 5, 1)
    }

    /// Tokens that are verified for the first time, a round.
    pub(crate) fn tokens(self) -> usize {
        self.pick(3000, 1000, 8)
    }

    /// Events in the log that is read and verified.
    pub(crate) fn events(self) -> u32 {
        self.pick(1_000_000, 100_000, 600)
    }

    /// Verifiers that are told at once.
    pub(crate) fn verifiers(self) -> usize {
        self.pick(50, 50, 3)
    }

    /// Sign-outs a round.
    pub(crate) fn sign_outs(self) -> usize {
        self.pick(40, 20, 1)
    }

    /// Revocations that one verifier holds.
    pub(crate) fn revocations(self) -> usize {
        self.pick(100_000, 20_000, 200)
    }
}
