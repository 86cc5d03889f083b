//! What of a clinic's log somebody has to look at and sign off: unusual sign-ins, reused tokens,
//! changes of privilege (45 CFR 164.308(a)(1)(ii)(D) and (a)(5)(ii)(C)).
//!
//! Invariants
//! 1. What waits is drawn from the log's entries as they are sequenced (`audit.sequence`): no
//!    writer of an event can leave it out. The catalog of events says which, and why.
//! 2. It is signed once, by somebody whom it is not about: constraints of the database.

pub mod model;
pub mod routes;
pub(crate) mod store;

pub use model::Verdict;
