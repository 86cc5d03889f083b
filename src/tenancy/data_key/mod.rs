//! A clinic's data key: what is written about its patients is ciphertext under it.
//!
//! Invariants
//! 1. The clinic's own transactions see the key wrapped; only a process that is given the master
//!    key opens it. Identity's role does not see the table, nor a clinic's role identity's.
//! 2. A value opens in its own table, column, row and clinic alone.
//! 3. A destroyed key is never made again: what was under it stays unreadable, in backups made
//!    later too.

mod model;
pub(crate) mod service;
mod store;

pub(crate) use model::StoredKey;
pub use model::TenantKey;
