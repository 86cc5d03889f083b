//! People who can sign in: accounts, credentials, guesses.

pub mod administration;
pub mod membership;
pub mod model;
pub mod password;
mod store;

pub use model::{AccountName, Login};
