//! What verifiers are told of: whatever ends a token before its time (design §6).
//!
//! Invariants
//! 1. What ends is told: triggers write the event in the transaction of the end
//!    (`migrations/0032_revocations.sql`); nothing in Rust has to remember it.
//! 2. Positions are given after the commit, by one function of the database: without a gap, none
//!    twice, and a transaction that was held open is told late and not passed by.
//! 3. A subscriber is an authenticated resource server, and is told what concerns it alone
//!    ([`policy::concerns`]): no other clinic's ids.
//! 4. Whoever is told nothing is not told that all is well: without the database, a subscriber
//!    hears no heartbeat.
//! 5. One reader of the table serves all subscribers of a process; no subscriber has a queue that
//!    grows.

pub mod feed;
pub mod model;
mod places;
pub mod policy;
pub mod receiver;
pub mod routes;
pub mod service;
mod set;
mod store;
pub(crate) mod telling;

pub use feed::Feed;
