//! Token families: one login of one client in one tenant, and all refresh tokens that descend
//! from it. Design §5; decision record 0007 on the lost answer.
//!
//! Invariants:
//! 1. A family has at most one live leaf at every instant; no retry makes a sibling.
//! 2. An end is final, and the first reason stays.
//! 3. A stranger (another client, another key, a made-up token) changes nothing.
//! 4. No rotation and no retry moves the absolute end.
//! 5. Neither the database alone nor an old token with a stolen server key yields a live token.
//!
//! Not its business: who the client is (the token endpoint authenticates it first), what an access
//! token says, and how an end reaches verifiers.

pub(crate) mod ending;
pub mod exchange;
mod facts;
pub mod model;
pub mod policy;
pub mod refresh_token;
pub mod refusal;
pub(crate) mod revocation;
pub(crate) mod rotation;
pub mod service;
pub(crate) mod store;
pub mod successor;
pub mod sweep;

pub use exchange::{Asked, Given, NewFamily, Presenter, RefreshOutcome, Started};
