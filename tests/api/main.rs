//! One test binary: each module one endpoint, grant or rule.

mod embedded;
mod refresh_policy;
