//! Proofs of inclusion and of consistency (RFC 9162 §2.1.3, §2.1.4): planned, made, checked.
//!
//! Making one is two steps, so that whoever keeps the tree can read all that is needed at once:
//! a [`Plan`] names the subtrees, and [`Plan::prove`] puts their hashes together.

use std::ops::Range;

use super::TreeHash;
use super::tree::{Subtree, fold};

/// Which hashes a proof is made of. Each of its steps is one hash of the proof, over one or more
/// full subtrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<Vec<Subtree>>,
}

/// A subtree that the keeper of the tree could not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hash of subtree {} on level {} is missing", .0.index, .0.level)]
pub struct Missing(pub Subtree);

impl Plan {
    /// That leaf `index` is in the tree of `size` leaves; none if it can't be.
    pub fn inclusion(index: u64, size: u64) -> Option<Self> {
        Self::inclusion_of(Subtree { level: 0, index }, size)
    }

    /// That this subtree is in the tree of `size` leaves. The tree's last subtree of a level may
    /// have fewer leaves than a full one: it counts as if it had them all.
    pub fn inclusion_of(subtree: Subtree, size: u64) -> Option<Self> {
        let leaves = subtree.leaves();
        if leaves.start >= size {
            return None;
        }
        let mut within = 0..size;
        let mut steps = Vec::new();
        while within.end - within.start > leaves.end - leaves.start {
            let middle = split(&within);
            let (chosen, beside) = if leaves.start < middle {
                (within.start..middle, middle..within.end)
            } else {
                (middle..within.end, within.start..middle)
            };
            steps.push(Subtree::covering(beside));
            within = chosen;
        }
        steps.reverse();
        Some(Self { steps })
    }

    /// That the tree of `old` leaves is how the tree of `new` leaves began; none if it can't be.
    pub fn consistency(old: u64, new: u64) -> Option<Self> {
        if old > new {
            return None;
        }
        let mut steps = Vec::new();
        if old > 0 && old < new {
            let mut within = 0..new;
            let mut is_known = true;
            while within.end != old {
                let middle = split(&within);
                let beside = if old <= middle {
                    let right = middle..within.end;
                    within.end = middle;
                    right
                } else {
                    let left = within.start..middle;
                    within.start = middle;
                    is_known = false;
                    left
                };
                steps.push(Subtree::covering(beside));
            }
            if !is_known {
                steps.push(Subtree::covering(within));
            }
            steps.reverse();
        }
        Some(Self { steps })
    }

    /// Every subtree that is needed, once.
    pub fn needs(&self) -> impl Iterator<Item = Subtree> {
        self.steps.iter().flatten().copied()
    }

    /// The proof.
    ///
    /// # Errors
    /// [`Missing`] for a subtree of [`Self::needs`] of which `hash_of` knows nothing.
    pub fn prove(
        &self,
        mut hash_of: impl FnMut(Subtree) -> Option<TreeHash>,
    ) -> Result<Vec<TreeHash>, Missing> {
        let mut given = |&subtree: &Subtree| hash_of(subtree).ok_or(Missing(subtree));
        let step = |parts: &Vec<Subtree>| {
            let hashes = parts
                .iter()
                .map(&mut given)
                .collect::<Result<Vec<_>, _>>()?;
            Ok(fold(&hashes).expect("no step is without a subtree"))
        };
        self.steps.iter().map(step).collect()
    }
}

/// Where a tree of more than one leaf is divided: after the largest power of two below its size.
const fn split(leaves: &Range<u64>) -> u64 {
    leaves.start + (1 << (leaves.end - leaves.start - 1).ilog2())
}

/// What `path` leads to from `hash`, the leaf `index` of a tree of `size` leaves (RFC 9162
/// §2.1.3.2); none if a path there has another length. Equal to the root, it is proven.
pub fn root_by_inclusion(
    hash: TreeHash,
    index: u64,
    size: u64,
    path: &[TreeHash],
) -> Option<TreeHash> {
    if index >= size {
        return None;
    }
    let (mut node, mut last, mut root) = (index, size - 1, hash);
    for beside in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            root = TreeHash::node(beside, &root);
            let skipped = node.trailing_zeros();
            (node, last) = (node >> skipped, last >> skipped);
        } else {
            root = TreeHash::node(&root, beside);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    (last == 0).then_some(root)
}

/// The hashes of an inclusion proof that stand left of its leaf, from the left: the full subtrees
/// of everything before that leaf.
pub fn before(index: u64, size: u64, path: &[TreeHash]) -> Vec<TreeHash> {
    let (mut node, mut last) = (index, size.saturating_sub(1));
    let mut left = Vec::new();
    for beside in path {
        if node & 1 == 1 || node == last {
            left.push(*beside);
            let skipped = node.trailing_zeros();
            (node, last) = (node.unbounded_shr(skipped), last.unbounded_shr(skipped));
        }
        (node, last) = (node >> 1, last >> 1);
    }
    left.reverse();
    left
}

/// Whether `proof` shows that the tree of `old` is how the tree of `new` began, each a size and a
/// root (RFC 9162 §2.1.4.2). Every tree began as the empty one, and as itself, by no proof.
pub fn is_consistent(old: (u64, TreeHash), new: (u64, TreeHash), proof: &[TreeHash]) -> bool {
    if old.0 == 0 || old.0 == new.0 {
        let expected = if old.0 == 0 { TreeHash::empty() } else { new.1 };
        return proof.is_empty() && old.1 == expected;
    }
    if old.0 > new.0 {
        return false;
    }
    let whole = old.0.is_power_of_two().then_some(old.1);
    let mut path = whole.iter().chain(proof);
    let Some(&first) = path.next() else {
        return false;
    };
    let (mut node, mut last) = (old.0 - 1, new.0 - 1);
    let skipped = node.trailing_ones();
    (node, last) = (node >> skipped, last >> skipped);
    let (mut then, mut now) = (first, first);
    for beside in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            then = TreeHash::node(beside, &then);
            now = TreeHash::node(beside, &now);
            let skipped = node.trailing_zeros();
            (node, last) = (node.unbounded_shr(skipped), last.unbounded_shr(skipped));
        } else {
            now = TreeHash::node(&now, beside);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && then == old.1 && now == new.1
}
