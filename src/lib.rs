//! Lanyard: an OpenID Connect provider for many clinics on one Postgres.
//!
//! Nouns first; `docs/ARCHITECTURE.md` is the map.

pub mod account;
pub mod api;
pub mod app;
pub mod apps;
pub mod audit;
pub mod cli;
pub mod config;
pub mod db;
pub mod delegation;
pub mod demo;
pub mod emergency;
pub mod env;
mod fault;
pub mod http;
pub mod identity;
pub mod ids;
pub mod impersonation;
pub mod inspection;
pub mod keys;
pub mod mail;
pub mod metrics;
pub mod oidc;
pub mod pages;
pub mod platform;
pub mod recovery;
pub mod retention;
pub mod revocation;
pub mod secret;
pub mod server;
pub mod sessions;
pub mod sign_in;
pub mod signing;
pub mod tenancy;
pub mod visits;
mod words;
