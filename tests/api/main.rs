//! One test binary: each module one endpoint, grant or rule.

#![cfg(test)]
#![expect(
    clippy::too_many_lines,
    clippy::excessive_nesting,
    reason = "a table of cases is one sentence, however long"
)]

mod account;
mod apps;
mod attacks;
mod audit;
mod audit_format;
mod browser;
mod catalog;
mod cli;
mod clients;
mod demo;
mod docs;
mod embedded;
mod emergency;
mod factors;
mod fuzz;
mod guides;
mod http;
mod keys;
mod lab;
mod mail;
mod oidc;
mod openapi;
mod queries;
mod recovery;
mod refresh;
mod refresh_model;
mod refresh_policy;
mod retention;
mod revocation;
mod seal;
mod serving;
mod sign_in;
