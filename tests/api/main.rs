//! One test binary: each module one endpoint, grant or rule.

mod refresh_policy;
