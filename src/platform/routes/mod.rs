//! `/api/v1`: what the platform's own console asks beside support's grants.

pub mod endings;
pub mod fleet;
pub mod keys;
