//! Erasing a person: nobody can say any more who an account was; what it did stays on the record,
//! under its id (45 CFR 164.316(b)(2): six years), and the log still verifies.
//!
//! Invariants
//! 1. It is one transaction: all of it, or nothing.
//! 2. An erased account is disabled for good (`account_erased_is_nobodys`), and is found under its
//!    pseudonym by who erases alone.
//! 3. No clinic that is served loses its last administrator by it, unless the operator says so.
//! 4. What a clinic recorded of her as its patient or in its care is the clinic's, and stays.

mod model;
pub(crate) mod service;
mod store;

pub use model::{EraseOutcome, Erased};
