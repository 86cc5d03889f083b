//! A person's own account: where she is signed in, her clinics, her password, her second factors.
//!
//! Invariants
//! 1. Every page and form is for the account of the session behind the browser; an id of another
//!    account's is as one that is not there (WEB-13).
//! 2. A changed password ends every other session, raises the epoch, and gives this session a new
//!    secret (LOGIN-25).
//! 3. Nothing is shown or taken while a second factor is asked for and not proved (LOGIN-10).

pub(crate) mod factors;
mod impersonation;
mod password;
pub mod routes;
mod service;
mod support;

pub use routes::routes;
