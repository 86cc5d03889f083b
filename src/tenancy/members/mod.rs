//! A clinic as its own people see it through the API: itself, its members, the caller.

pub mod model;
pub mod routes;
pub(crate) mod store;

pub use model::{ClinicFacts, MemberFacts};
