//! An export: the log's lines as they are, each block of them after the hashes that prove it.
//!
//! ```text
//! {"lanyard_audit":1,"log":…,"origin":…,"from":…,"to":…,"checkpoint":…, …}
//! {"block":0,"leaves":…,"path":…}
//! {"v":1,"log":…,"index":0,…}                          an entry: the bytes that were hashed
//! {"disclosed":0,"fields":{…}}                         what salted values of that entry were
//! …
//! {"end":2}
//! {"signature":"…"}                                    over all bytes before this line
//! ```

mod anchor;
mod digests;
mod disclosed;
mod finding;
mod header;
mod lines;
pub mod verify;
mod walk;
pub mod writer;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::TreeHash;
use super::proof::Plan;
use super::tree::Subtree;
pub use anchor::anchored;
pub use digests::{Digests, digests};
pub use finding::{Finding, Kind};
pub use verify::{Compared, Report, Verdict, verify};
pub use writer::{Block, Disclosure, Entry, Writer};

/// The height of a block.
pub const BLOCK_LEVEL: u32 = 8;
/// Entries of a block; the log's last may have fewer.
pub const BLOCK: u64 = 1 << BLOCK_LEVEL;
/// The version of the form.
pub const VERSION: u32 = 1;

const BLOCK_LINE: &[u8] = b"{\"block\":";
const DISCLOSED_LINE: &[u8] = b"{\"disclosed\":";
const END_LINE: &[u8] = b"{\"end\":";
const SIGNATURE_LINE: &[u8] = b"{\"signature\":";

/// The first line: of what this is an export, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`VERSION`].
    pub lanyard_audit: u32,
    /// The tenant's id.
    pub log: String,
    /// The checkpoint's origin.
    pub origin: String,
    /// When it was made: an instant read *before* the checkpoint was chosen (RFC 3339, UTC,
    /// microseconds, `Z`), so that an anchor of that time can't know a longer log.
    pub made_at: String,
    /// Whether entries between `from` and `to` were left out on purpose.
    pub selection: bool,
    /// The first entry's index.
    pub from: u64,
    /// The index after the last one; at most the checkpoint's size.
    pub to: u64,
    /// The signed checkpoint that everything here leads to.
    pub checkpoint: String,
    /// The log's public keys (C2SP vkeys), for convenience: nobody should trust them from here.
    pub keys: Vec<String>,
}

/// What has to be read for a block of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPlan {
    /// Which one: its first entry is `number` × [`BLOCK`].
    pub number: u64,
    /// Whose hashes stand in it: its entries in the log, whether exported or not.
    pub leaves: Range<u64>,
    /// Whose lines stand in it.
    pub entries: Range<u64>,
    /// The proof that it is in the log.
    pub proof: Plan,
}

/// The blocks of an export of `entries` of a log of `size`; none if the log has no such entries.
pub fn blocks(entries: Range<u64>, size: u64) -> Option<impl Iterator<Item = BlockPlan>> {
    if entries.start > entries.end || entries.end > size {
        return None;
    }
    let numbers = numbers(&entries);
    let plan = move |number| block(number, &entries, size);
    Some(numbers.map(plan))
}

/// The blocks in which these entries are.
fn numbers(entries: &Range<u64>) -> Range<u64> {
    if entries.is_empty() {
        return 0..0;
    }
    entries.start / BLOCK..entries.end.div_ceil(BLOCK)
}

fn block(number: u64, exported: &Range<u64>, size: u64) -> BlockPlan {
    let leaves = leaves_of(number, size);
    let subtree = Subtree {
        level: BLOCK_LEVEL,
        index: number,
    };
    BlockPlan {
        number,
        entries: leaves.start.max(exported.start)..leaves.end.min(exported.end),
        leaves,
        proof: Plan::inclusion_of(subtree, size).expect("the block begins within the log"),
    }
}

/// The entries of a log of `size` that are in a block.
fn leaves_of(number: u64, size: u64) -> Range<u64> {
    number * BLOCK..size.min((number + 1) * BLOCK)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockLine {
    block: u64,
    leaves: String,
    path: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DisclosedLine {
    disclosed: u64,
    fields: BTreeMap<String, Disclosed>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Disclosed {
    salt: String,
    value: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureLine {
    signature: String,
}

/// How an entry's line begins, up to its index.
fn beginning(log: &str) -> String {
    format!("{{\"v\":1,\"log\":\"{log}\",\"index\":")
}

/// What the signature covers. No checkpoint can say this: its second line is no number.
fn signed_text(origin: &str, digest: TreeHash) -> String {
    let digest = digest.to_base64();
    format!("lanyard audit export v1\n{origin}\n{digest}\n")
}
