//! Proxies: somebody acts for a patient because the law or she herself lets him
//! (45 CFR 164.502(g), 164.508; docs/decisions/0035).
//!
//! Invariants
//! 1. A delegation has one patient, one proxy, a basis and a scope, and nothing but its end, and
//!    its tokens', is ever written to it: what is renewed is another one.
//! 2. Proxy and patient are members of one clinic, with accounts of their own that are active.
//! 3. Nobody lets herself act, and nobody lets somebody in another's name.
//! 4. What is lent is the patient's, as a patient, and of that the scope's ([`model::Lent`]).
//! 5. It ends with its time, with the minority, with what takes the ground from under it (triggers:
//!    `migrations/0040_delegation.sql`), or by whom its basis lets end it.
//! 6. A token is given to the proxy's own sign-in, and ends with it, or when its app is done with
//!    it.
//! 7. Both are told by mail of its beginning and its end.
//!
//! Not responsible for: what is refused under `act` at an API (`lanyard-verifier`), nor the form of
//! the exchange ([`crate::oidc::token::token_exchange`]).

pub(crate) mod exchange;
pub mod lending;
mod letters;
pub mod model;
pub mod policy;
pub mod routes;
pub(crate) mod service;
mod store;
pub mod upkeep;

pub use model::{Delegation, DelegationId, EndCause, Lent};
