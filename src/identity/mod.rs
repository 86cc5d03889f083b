//! People who can sign in: accounts, credentials, guesses.

pub mod administration;
pub mod bootstrap;
