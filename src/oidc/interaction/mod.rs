//! A request of a browser that waits for its person: who she is, which clinic.
//!
//! Invariants
//! 1. An interaction belongs to one browser, by the digest of its cookie; another's is as none.
//! 2. Only ids of stored interactions lead back: no page takes a return address (WEB-08).
//! 3. It is finished once, by one conditional `UPDATE`.

pub mod model;
pub mod service;
pub(crate) mod store;

pub use model::{AuthorizeRequest, Interaction, Pending, Prompt, Purpose};
