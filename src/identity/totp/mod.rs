//! Devices that make time-based codes (RFC 6238): SHA-1, six digits, thirty seconds, which every
//! authenticator app can do.
//!
//! Invariants
//! 1. A secret is stored as ciphertext bound to its row, and shown only while it is set up.
//! 2. A device counts from its first right code on, given in the session that shows its secret.
//! 3. A step is accepted once, by one conditional `UPDATE` that only raises it (LOGIN-08).
//! 4. A code is good in its step and one beside it, by the server's clock alone (LOGIN-09).

pub mod model;
pub(crate) mod service;
mod store;

pub use model::{Device, DeviceName, Enrollment, TotpSecret};
pub use service::place;
