//! What people have allowed the apps of others: given on a page, kept, taken back on the account
//! page. Record: docs/decisions/0019-consent-is-asked-for-others.md.
//!
//! Invariants
//! 1. A third party's client gets no code that the member's recorded yes does not cover: looked at
//!    in the transaction that issues the code and again in the one that redeems it, under a lock
//!    that a withdrawal waits for (AUTHZ-12, RT-14).
//! 2. Only the member herself gives and withdraws, each on the record.
//! 3. A yes is to one registration of a client: another under the same id has no part in it.
//! 4. A withdrawal ends the client's token families in the same transaction.
//!
//! Not responsible for: when the page is shown ([`crate::oidc::authorize`]).

pub mod model;
pub mod policy;
pub(crate) mod service;
mod store;
pub mod words;

pub use model::{Consent, GivenConsent};
