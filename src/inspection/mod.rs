//! The log as others see it: a clinic's own, and proofs of it, by those whom the clinic lets
//! (`/api/v1/audit`); and by which keys all logs are signed, for everybody.
//!
//! Invariants
//! 1. A transaction of class `auditor` sees the log of its own tenant, and nothing else does.
//! 2. Whoever reads entries leaves one: the reading is an event before it is an answer.
//! 3. A page is found by an index, whatever is filtered by; its cost grows with the page.

pub mod accesses;
pub mod events;
pub mod export;
pub mod keys;
pub mod model;
mod page;
pub mod review;
pub mod routes;
pub mod standing;
mod store;
