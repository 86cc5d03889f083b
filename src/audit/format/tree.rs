//! The tree as it grows: what must be kept of it to go on, and which part of it is where.

use std::ops::Range;

use super::TreeHash;

/// A full subtree: the leaves from `index` × 2^`level`, 2^`level` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subtree {
    /// Its height; a leaf has none.
    pub level: u32,
    /// How many subtrees of its height stand before it.
    pub index: u64,
}

impl Subtree {
    /// The leaves under it.
    pub const fn leaves(self) -> Range<u64> {
        self.index << self.level..(self.index + 1) << self.level
    }

    /// What has to be read where only each `tier`th level is kept: the kept level at or below this
    /// subtree, and the indices on it whose hashes [`full`] puts together.
    ///
    /// With `tier` 8: level 0 (leaves), 8 (of 256 leaves), 16 …
    pub const fn kept(self, tier: u32) -> (u32, Range<u64>) {
        let level = self.level - self.level % tier;
        let over = self.level - level;
        (level, self.index << over..(self.index + 1) << over)
    }

    /// Full subtrees that together cover `leaves`, from the left. `leaves` begins where a subtree
    /// of their number begins, as every part of a tree does (RFC 9162 §2.1.1).
    pub(super) fn covering(leaves: Range<u64>) -> Vec<Self> {
        let mut begin = leaves.start;
        let mut parts = Vec::new();
        while begin < leaves.end {
            let level = (leaves.end - begin).ilog2();
            parts.push(Self {
                level,
                index: begin >> level,
            });
            begin += 1 << level;
        }
        parts
    }
}

/// The root over a full subtree's hashes of one level; their number is a power of two.
pub fn full(hashes: &[TreeHash]) -> Option<TreeHash> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks_exact(2)
            .map(|pair| TreeHash::node(&pair[0], &pair[1]))
            .collect();
    }
    level.first().copied()
}

/// The root over subtrees that grow smaller to the right.
pub(super) fn fold(hashes: &[TreeHash]) -> Option<TreeHash> {
    let mut from_right = hashes.iter().rev();
    let last = *from_right.next()?;
    Some(from_right.fold(last, |right, left| TreeHash::node(left, &right)))
}

/// The right edge of a tree: all that has to be kept in order to append, and to say the root.
///
/// It holds the full subtrees of which the tree is made, from the left: one for each binary digit
/// of its size that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<TreeHash>,
}

impl Default for Frontier {
    fn default() -> Self {
        Self::new()
    }
}

impl Frontier {
    /// Of a tree without leaves.
    pub const fn new() -> Self {
        Self {
            size: 0,
            subtrees: Vec::new(),
        }
    }

    /// As it was kept; none if so many subtrees don't make a tree of this size.
    pub fn from_parts(size: u64, subtrees: Vec<TreeHash>) -> Option<Self> {
        let needed = size.count_ones() as usize;
        (subtrees.len() == needed).then_some(Self { size, subtrees })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// What [`Self::from_parts`] takes.
    pub fn subtrees(&self) -> &[TreeHash] {
        &self.subtrees
    }

    /// One leaf more.
    pub fn append(&mut self, leaf: TreeHash) {
        let appended = self.append_full(0, leaf);
        debug_assert!(appended, "a leaf fits everywhere");
    }

    /// 2^`level` leaves more, by the hash over them; not done if the size is no multiple of that.
    #[must_use]
    pub fn append_full(&mut self, level: u32, hash: TreeHash) -> bool {
        if self.size.trailing_zeros() < level {
            return false;
        }
        let mut hash = hash;
        let mut index = self.size >> level;
        while index & 1 == 1 {
            let left = self.subtrees.pop().expect("one for each digit that is set");
            hash = TreeHash::node(&left, &hash);
            index >>= 1;
        }
        self.subtrees.push(hash);
        self.size += 1 << level;
        true
    }

    /// The root hash of the tree as it is now.
    pub fn root(&self) -> TreeHash {
        fold(&self.subtrees).unwrap_or_else(TreeHash::empty)
    }
}
