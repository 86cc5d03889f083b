//! Who must prove a second factor, and what is asked of whom.
//!
//! Invariants
//! 1. Staff roles always ask for one; a clinic may ask it of everybody, and never of nobody
//!    (record 0014).
//! 2. Whoever has a device proves it at every sign-in, asked for or not.
//! 3. An account gets one sign-in of grace to enroll, by one conditional `UPDATE`.
//! 4. Factors change only under a fresh proof: of a factor, or of the password while there is none
//!    (LOGIN-16).

pub mod policy;
pub(crate) mod service;
mod store;
mod verdict;

pub use policy::{Demand, Facts};
pub use service::{Inventory, Standing};
pub(crate) use verdict::Verdict;
