//! Signing in at the issuer: who, the password, a second factor, which clinic. Ends in a session
//! and leads back to the interaction that asked.
//!
//! Invariants
//! 1. Unknown, wrong and disabled take the same path and get the same answer (LOGIN-01).
//! 2. An attempt is counted and committed before anything is hashed (LOGIN-03, -04).
//! 3. A session's secret is made anew at every sign-in; what a browser brought along is never
//!    taken over (LOGIN-25). Another account's session in the same browser ends (LOUT-09).
//! 4. A password is half a sign-in of whoever has a device, or must have one: until the other half
//!    is proved every way leads to the page that asks for it (LOGIN-10).
//! 5. Pages lead to paths of ours and to stored interactions alone (WEB-08).
//!
//! Not responsible for: what an app may have of it ([`crate::oidc::authorize`]).

mod chooser;
mod factor;
pub mod routes;
mod service;
mod waiting;

pub use routes::routes;
