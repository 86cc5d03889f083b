//! Authorization codes: single use, one minute, bound to client, address, person and session.
//!
//! Invariants
//! 1. A code is spent by one conditional `UPDATE`; a second use ends what the first gave.
//! 2. Its digest covers all that the row binds: a planted row never matches.

pub mod model;
pub(crate) mod redemption;
pub mod service;
pub(crate) mod store;

pub use model::{IssuedCode, PresentedCode};
