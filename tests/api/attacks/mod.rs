//! Cases of the attack catalog that belong to no single endpoint.

mod errors;
mod ledger;
mod limits;
mod manifest;
mod text;
