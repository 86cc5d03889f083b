//! People who can sign in: accounts, credentials, guesses.

pub mod administration;
pub mod bootstrap;
pub(crate) mod credential;
pub mod membership;
pub mod model;
pub mod password;
pub mod password_rules;
mod store;
pub mod throttle;

pub use model::{AccountName, Login};
