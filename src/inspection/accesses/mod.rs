//! Who saw a patient's record, as she may ask (45 CFR 164.528).
//!
//! Invariants
//! 1. What is told is drawn from the log's entries as they are sequenced (`audit.sequence`).
//! 2. A patient sees what concerns her record alone: a policy of the database.

pub mod routes;
pub(crate) mod store;
