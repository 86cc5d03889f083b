//! The verifier's tests, in one binary.

mod acting;
mod activity;
mod banner;
mod bearer;
mod clock;
mod forged;
mod guards;
mod keys;
mod lab;
mod metadata;
mod over_http;
mod seen;
mod served;
mod size;
mod tenants;
mod verifying;
