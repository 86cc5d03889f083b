//! Others' receivers: they poll (RFC 8936) or are told (RFC 8935), and manage what they are given
//! (OpenID SSF 1.0 §8).
//!
//! Invariants
//! 1. A receiver has one stream at most, its client's own; without one it polls for everything.
//! 2. Nothing is sent out in a transaction; what was sent twice is the same set by the same `jti`.
//! 3. What was acknowledged is not given again; what was not is, in order.
//! 4. Nobody is told at an address that is not public, unless the operator named its network.

pub mod model;
pub mod push;
pub mod reach;
pub mod service;
mod store;
