//! The post: delivers what the outbox holds, after commit, each message once.
//!
//! Invariants
//! 1. A message is taken by one conditional `UPDATE`, so of any number of workers one has it.
//! 2. A worker that dies with a message in hand loses nothing: it is taken again later, and each
//!    way of delivery has one effect for one message id, however often it is tried.
//! 3. Letters are plain text and hold nothing of health. One kind has a link in it: its secret is
//!    ciphertext in the outbox, and erased when it was delivered.
//! 4. What fails is tried again, later each time, by any server; what is given up is on the record.

pub mod letter;
mod policy;
mod post;
mod relay;
mod service;
mod store;

pub use letter::Letter;
pub use post::{LONGEST_WAIT, Post};
pub use relay::RelayError;
pub use service::{Caught, MailError, caught, deliver, deliver_all, measure};
