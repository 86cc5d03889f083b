//! Clinics: what they are called, whether they are served.
//!
//! Invariants
//! 1. A clinic is made and suspended by the platform alone.
//! 2. Its slug never changes: it is its host name, and stands in people's bookmarks.

pub mod announcement;
pub mod data_key;
pub mod members;
pub mod model;
pub mod service;
mod store;

pub use model::{NewTenant, Slug, Tenant, TenantName, TenantStatus};
