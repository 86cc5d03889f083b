//! One test binary: each module one endpoint, grant or rule.

mod embedded;
mod lab;
mod refresh_policy;
mod seal;
