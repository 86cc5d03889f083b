//! A person's own account at the issuer.

mod activity;
mod bound;
mod clocks;
mod password;
mod sessions;
