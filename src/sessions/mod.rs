//! The SSO session: one for each browser and account, with two clocks.
//!
//! Invariants
//! 1. Both clocks are absolute facts: when the person last did something, and when she signed in.
//!    What they allow is policy, looked up at each use, so a tightened policy counts at once.
//! 2. Refreshing a token moves neither clock.
//! 3. An ended session never lives again; what a clinic's idle limit logged off stays so, though
//!    the session goes on under another clinic's laxer one (`Session::silences`).
//! 4. The cookie's value changes at every change of privilege; only its digest is stored.

pub mod administration;
pub mod device;
pub mod in_tenant;
pub mod model;
pub mod policy;
pub mod present;
pub(crate) mod read;
pub mod routes;
pub mod service;
pub(crate) mod store;

pub use model::{
    Clocks, EndReason, Limits, PresentedSession, Session, SessionSecret, Silence, TenantSession,
};
