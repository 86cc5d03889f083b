//! Codes for the day when no device is at hand: ten at a time, each good once.
//!
//! Invariants
//! 1. They are shown once, when they are made; the database holds keyed digests bound to the
//!    account.
//! 2. Each is spent once, by one conditional `UPDATE`; new ones end all old ones (LOGIN-20).

pub mod model;
pub(crate) mod service;
mod store;

pub use model::RecoveryCode;
