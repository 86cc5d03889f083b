//! A person's own account at the issuer.

mod activity;
mod clocks;
mod password;
mod sessions;
