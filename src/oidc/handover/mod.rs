//! A browser of support's goes into an app as somebody (docs/decisions/0032): a one-time transfer,
//! the browser's session under the grant, and the codes that the app redeems.
//!
//! Invariants
//! 1. A transfer is good for a minute, in the browser that it was made in, for the app that it was
//!    made for; one conditional `UPDATE` spends it and opens the session.
//! 2. That session is a cookie of its own: no path that knows a person's session reads it, and no
//!    path here reads hers or the actor's (design §7).
//! 3. Its codes are in a table of their own, found by the grant of this noun alone.
//! 4. What stands is looked at again at each step ([`crate::impersonation::exchange::look`]).
//! 5. No page is ever shown under `act`: a request that needs one is refused.

pub mod model;
mod policy;
pub(crate) mod redemption;
pub(crate) mod service;
mod store;
