//! What is dead is forgotten: when, why then, and in which order.
//!
//! Invariants
//! 1. Nothing that lives is deleted: the database's policies show this noun what is dead by its
//!    own clock alone (`migrations/0017_retention.sql`), whatever a caller asks for.
//! 2. An old refresh token is known for as long as anything that it could end.
//! 3. Any number of servers purge at once, in batches that are bounded; none waits for another.
//! 4. The log of events is not this noun's: it is never purged.

pub mod model;
pub mod service;
mod store;
