//! What the platform's own overseers see of support's grants in all clinics, and how they end them.
//!
//! Invariants
//! 1. They read what the log may show: who, as whom, when, which routes; never why in words.
//! 2. They start and approve nothing. Under their class the database lets a grant end, only.
//! 3. Ending all is one statement. The event about each follows as with every end that a trigger
//!    makes ([`super::upkeep`]); who ordered it is on the platform's record in the transaction.

pub mod routes;
pub(crate) mod service;
mod store;
