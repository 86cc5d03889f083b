//! The log as bytes: how entries are hashed, what a checkpoint signs, what an export holds, and how
//! each is checked. Pure: no database, no HTTP. `docs/AUDIT-FORMAT.md` says the same for others.
//!
//! Invariants
//! 1. An entry is a line of bytes. What is hashed is what is stored, exported and checked; nothing
//!    is ever written anew from parsed values.
//! 2. The tree is that of RFC 9162 §2.1, so that others' verifiers read our proofs.
//! 3. Nothing is believed that a given key's signature does not reach: a hash in an export counts
//!    from the moment that it leads to the signed root.
//! 4. Reading takes memory for one block of entries, however long the log is.
//!
//! Record: docs/decisions/0025.

pub mod checkpoint;
pub mod export;
pub mod hash;
pub mod line;
pub mod note;
pub mod proof;
pub mod tree;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use hash::TreeHash;
pub use line::Line;
pub use note::{Note, NoteError, NoteSigner, Vkey};
pub use proof::{Missing, Plan};
pub use tree::{Frontier, Subtree};

#[cfg(test)]
mod tests;
