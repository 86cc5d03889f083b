//! A membership joins an account to a clinic with roles. Read here; made by administration.
//!
//! Invariant: within a tenant's transaction nothing tells of the account's other memberships.

pub mod model;
pub(crate) mod store;

pub use model::{Clinic, Member, Membership};
