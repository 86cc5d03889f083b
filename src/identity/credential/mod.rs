//! The password of an account, read under the login that is claimed and changed by its person.
//!
//! Invariants
//! 1. Nothing is hashed in a transaction: what was read is compared outside, and whoever writes
//!    afterwards makes sure that it has not changed meanwhile.
//! 2. An unknown login is read by the same statements as a known one.

pub(crate) mod store;

pub(crate) use store::Credential;
