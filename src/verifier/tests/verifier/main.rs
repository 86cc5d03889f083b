//! The verifier's tests, in one binary.

mod acting;
mod activity;
mod banner;
mod bearer;
mod clock;
mod combinations;
mod endpoints;
mod followed;
mod following;
mod forged;
mod guards;
mod keys;
mod lab;
mod metadata;
mod over_http;
mod pushed_over_http;
mod revoked;
mod seen;
mod served;
mod size;
mod stale;
mod tenants;
mod unusable;
mod verifying;
