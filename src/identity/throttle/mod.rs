//! Counting guesses, in the database, before anything is hashed.
//!
//! Invariants
//! 1. An attempt is counted before it is judged, by one statement, so parallel guesses on any
//!    number of servers can't outrun the count (LOGIN-04).
//! 2. No counter stands for an account alone and refuses it: where its person is known, by her
//!    browser or her network, what strangers do elsewhere does not slow her down (LOGIN-06).
//! 3. An account that does not exist is counted like one that does.

pub mod policy;
pub(crate) mod service;
mod store;

pub use policy::{Known, Pace, Spot};
