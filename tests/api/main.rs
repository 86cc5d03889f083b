//! One test binary: each module one endpoint, grant or rule.

#![cfg(test)]

mod account;
mod apps;
mod browser;
mod cli;
mod clients;
mod embedded;
mod http;
mod lab;
mod mail;
mod oidc;
mod queries;
mod refresh;
mod refresh_model;
mod refresh_policy;
mod seal;
mod sign_in;
