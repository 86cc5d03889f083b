//! The tree and the notes against their definitions, known answers, and another implementation.

mod notes;
mod proofs;
mod trees;

use super::{Subtree, TreeHash};

/// Leaves that differ.
fn leaves(size: u64) -> Vec<TreeHash> {
    (0..size)
        .map(|index| TreeHash::leaf(index.to_string().as_bytes()))
        .collect()
}

/// RFC 9162 §2.1.1, word for word.
fn root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash::empty(),
        [leaf] => *leaf,
        more => {
            let (left, right) = more.split_at(largest_power_below(more.len()));
            TreeHash::node(&root(left), &root(right))
        }
    }
}

/// The largest power of two that is smaller.
fn largest_power_below(size: usize) -> usize {
    let mut power = 1;
    while power * 2 < size {
        power *= 2;
    }
    power
}

/// A keeper of the tree that computes everything anew.
fn keeper(leaves: &[TreeHash]) -> impl Fn(Subtree) -> Option<TreeHash> {
    |subtree| {
        let under = subtree.leaves();
        let range = usize::try_from(under.start).ok()?..usize::try_from(under.end).ok()?;
        leaves.get(range).map(root)
    }
}
