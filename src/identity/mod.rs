//! People who can sign in: accounts, credentials, guesses.

pub mod administration;
pub mod bootstrap;
pub(crate) mod credential;
pub mod erasure;
pub mod factor;
pub mod membership;
pub mod model;
pub mod password;
pub mod password_rules;
pub mod recovery_code;
mod store;
pub mod throttle;
pub mod totp;

pub use model::{AccountName, Login};
