//! Where the entries of a log go as they come: systems that watch many others.
//!
//! Invariants
//! 1. A sink is sent every entry from its first one on, in order: what is sent begins at its
//!    cursor, and each index is one more than the one before.
//! 2. The cursor moves when the receiver has what was sent, by one conditional `UPDATE`. So what a
//!    receiver gets twice is a resend, with the same index; nothing is skipped.
//! 3. No transaction is open while the network is waited for.
//! 4. One sink that fails stops no other.
//!
//! Record: docs/decisions/0034.

mod https;
mod model;
mod policy;
mod service;
mod standing;
mod store;
mod syslog;

pub use model::{Address, AddressError, Failed, Form, Kind, NewSink, Sink, SinkId};
pub use service::{Probed, SinkError, Sinks, forward, measure};
pub use standing::SinkStanding;
