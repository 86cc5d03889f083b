//! What is kept of an export that took the place of its entries.

use std::io::{self, BufRead};

use ring::digest::{Context, SHA256};

use super::lines::{Lines, What};
use crate::audit::format::TreeHash;

/// Digests of an export, by which it is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256 over the leaf hashes of its entries, in their order.
    pub leaves: TreeHash,
    /// SHA-256 over all its bytes.
    pub file: TreeHash,
}

/// Reads an export to its end, without judging it: [`super::verify()`] does that.
///
/// # Errors
/// It can't be read.
pub fn digests(source: impl BufRead) -> io::Result<Digests> {
    let mut lines = Lines::begin(source)?;
    let mut leaves = Context::new(&SHA256);
    // The header begins as no other line does.
    lines.advance()?;
    while lines.what() != What::Nothing {
        if lines.what() == What::Entry {
            leaves.update(TreeHash::leaf(lines.bytes()).as_bytes());
        }
        lines.advance()?;
    }
    let leaves = TreeHash::try_from(leaves.finish().as_ref()).expect("SHA-256 gives 32 bytes");
    Ok(Digests {
        leaves,
        file: lines.digest_before(),
    })
}
