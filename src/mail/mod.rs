//! The post: delivers what the outbox holds, after commit, each message once.
//!
//! Invariants
//! 1. A message is taken by one conditional `UPDATE`, so of any number of workers one has it.
//! 2. A worker that dies with a message in hand loses nothing: it is taken again later, and each
//!    way of delivery has one effect for one message id, however often it is tried.
//! 3. Letters are plain text; they hold no secret, no link with one, and nothing of health.

pub mod letter;
mod service;
mod store;

pub use letter::Letter;
pub use service::{Caught, MailError, caught, deliver, deliver_all, measure};
