//! Registered clients: who may ask for tokens, how they prove themselves, where we send people.
//!
//! Invariants
//! 1. An address is stored only if it parses as one that we would ever redirect to, and is
//!    compared byte for byte ([`policy::may_redirect`]).
//! 2. A secret is shown once. The database has a digest that also binds tenant and client.
//! 3. A client has at most two live secrets; the older one carries its end.

pub mod authentication;
pub mod known;
pub mod model;
pub mod policy;
pub mod service;
mod store;

pub use model::{
    AuthMethod, Client, ClientKind, ClientName, ClientStatus, IdTokenAlg, NewClient, Profile,
    RedirectUri, WebOrigin,
};
