//! Lanyard: an OpenID Connect provider for many clinics on one Postgres.
//!
//! Nouns first; `docs/ARCHITECTURE.md` is the map.

pub mod config;
pub mod db;
pub mod env;
pub mod ids;
pub mod oidc;
pub mod pages;
pub mod secret;
