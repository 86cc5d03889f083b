//! The log proper: what was written as events becomes entries of a Merkle tree for each tenant,
//! under signed checkpoints that are also kept outside of the database.
//!
//! Invariants
//! 1. Nothing here is on the path of a request: events are taken after their commit, in batches.
//! 2. One event becomes one entry, whatever ends in between; any number of servers may try at once.
//! 3. What an entry says is written by the database (`audit.sequence`): nobody who calls it can say
//!    anything in a log.
//! 4. A checkpoint is signed only over the root that the database computes itself, and goes to the
//!    anchor before it counts as anchored.
//!
//! Record: docs/decisions/0024.

mod anchor;
mod export;
mod keeping;
mod key;
mod service;
mod standing;
mod store;

pub use anchor::AnchorError;
pub use export::{Export, ExportError, ReadsLogs, Wanted};
pub use keeping::{Hold, Kept};
pub use key::PublishedKey;
pub use service::{LogError, Logs, keep};
pub use standing::Anchoring;
pub(crate) use store::{lines_after, size};

use time::OffsetDateTime;
use time::macros::format_description;

/// As the format has it (docs/AUDIT-FORMAT.md): UTC, microseconds, `Z`.
pub fn instant(at: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    at.to_offset(time::UtcOffset::UTC)
        .format(&form)
        .expect("an instant has all of these")
}
