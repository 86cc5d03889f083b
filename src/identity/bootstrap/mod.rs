//! The platform's first administrator: made with a secret that an operator was shown once.
//!
//! Invariants
//! 1. There is no default account; whoever administers the platform redeemed such a secret.
//! 2. A secret is good for one use within [`model::LIFETIME`]; a new one ends those before it.
//! 3. The database keeps a keyed digest; issuing, redeeming and refusing are events.

pub mod model;
pub mod service;
mod store;

pub use model::{BootstrapSecret, IssuedBootstrap, RedeemOutcome};
