//! A forgotten password: a link by mail, good once, and a new password in exchange for it.
//!
//! Invariants
//! 1. Whoever asks hears the same and takes the same path, whether the address is known or not;
//!    what a person learns, she learns from her mail (LOGIN-02).
//! 2. One link lives for an account: a newer one takes its place, a changed password or address
//!    voids it, its one use spends it by one conditional `UPDATE` (LOGIN-13).
//! 3. Looking at a link spends nothing. It is in the address for one redirect, then in a cookie.
//! 4. Its address is built from the configured issuer alone (LOGIN-14).
//! 5. It signs nobody in and touches no factor: every session ends, and she signs in as ever.
//!
//! Not responsible for: what a password must be ([`crate::identity::password_rules`]).

pub mod model;
mod policy;
pub mod routes;
mod service;
mod store;

pub use routes::routes;
