//! Support acts as a clinic's member, visibly and for half an hour at most (design §7;
//! docs/decisions/0029).
//!
//! Invariants
//! 1. A clinic that said nothing is one that forbids it ([`model::Rule`]).
//! 2. One grant is one actor, one subject, one time; nothing renews it, and each step is one
//!    conditional `UPDATE` that the database's own trigger keeps in order.
//! 3. Nobody acts as himself, as the platform's staff, as someone with a role that may not be acted
//!    as, or out of an impersonation (IMP-01, IMP-02): asked at the request, at the start and at
//!    each token.
//! 4. Rights are the subject's, of those the ones that the actor's role is lent, of those the
//!    preset's (IMP-10). What is not in `identity.lent_permission` is never lent.
//! 5. What takes the ground from under a grant ends it in its own transaction: by triggers
//!    (`migrations/0033_impersonation.sql`), not by care.
//! 6. No grant touches the subject's session, clocks or last sign-in.
//!
//! Not responsible for: what is refused under `act` at an API (`lanyard-verifier`), nor the form of
//! the exchange ([`crate::oidc::token::token_exchange`]).

pub(crate) mod answers;
pub(crate) mod exchange;
pub mod model;
pub mod oversight;
pub mod policy;
pub mod routes;
pub(crate) mod service;
mod store;
pub mod upkeep;

pub use model::{ASKS_WITHIN, EndCause, Grant, ImpersonationId, MOST_ASKS, Preset, Rule, State};
