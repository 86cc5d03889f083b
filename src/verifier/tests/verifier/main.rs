//! The verifier's tests, in one binary.

mod activity;
mod bearer;
mod clock;
mod forged;
mod guards;
mod keys;
mod lab;
mod metadata;
mod seen;
mod size;
mod tenants;
mod verifying;
