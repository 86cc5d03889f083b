//! Emergency access, called breaking the glass: a clinician opens the record of a patient whom he
//! is not assigned to (45 CFR 164.312(a)(2)(ii)).
//!
//! Invariants
//! 1. Only under the purpose `emergency`, and only of a patient with a live access of the caller's,
//!    does the database show him another's visits (`migrations/0036_emergency.sql`).
//! 2. No access is opened without a letter to who reviews it, in the same transaction.
//! 3. Each is reviewed once, by another than who opened it, and waits in the queue until then.
//! 4. Opening, reading, closing and reviewing are on the record, with patient and access.
//! 5. Nobody does any of it in another's name.

pub mod model;
pub mod patients;
pub mod policy;
pub mod routes;
pub mod service;
pub(crate) mod store;

pub use model::{EmergencyAccess, Finding, Reason};
