//! The verifier's tests, in one binary.

mod api;
mod verifying;
