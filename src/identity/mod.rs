//! People who can sign in: accounts, credentials, guesses.

pub mod membership;
pub mod password;
