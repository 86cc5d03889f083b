//! Visits, as far as the main job needs them: who sees which.
//!
//! Invariants
//! 1. A caller sees what one of her roles' access classes shows, never their union; the database
//!    holds it too (`migrations/0005_visits.sql`).
//! 2. A list of visits is on the record before it is answered.

pub mod model;
pub mod policy;
pub mod routes;
pub mod service;
pub(crate) mod store;

pub use model::{Visit, VisitKind, VisitState};
