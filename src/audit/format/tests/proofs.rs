//! Proofs, made and checked by us and by `ct-merkle`.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Sha256;

use super::super::proof::{Plan, before, is_consistent, root_by_inclusion};
use super::super::{Frontier, Missing, Subtree, TreeHash};
use super::{keeper, leaves, root};

fn inclusion(leaves: &[TreeHash], index: u64) -> Vec<TreeHash> {
    let plan = Plan::inclusion(index, leaves.len() as u64).expect("the leaf is there");
    plan.prove(keeper(leaves)).expect("the tree is there")
}

fn consistency(leaves: &[TreeHash], old: u64) -> Vec<TreeHash> {
    let plan = Plan::consistency(old, leaves.len() as u64).expect("it grew");
    plan.prove(keeper(leaves)).expect("the tree is there")
}

#[test]
fn every_leaf_of_small_trees_is_proven_and_no_other() {
    for size in 1..40 {
        let leaves = leaves(size);
        let expected = Some(root(&leaves));
        for (index, leaf) in (0..).zip(&leaves) {
            let path = inclusion(&leaves, index);
            assert_eq!(root_by_inclusion(*leaf, index, size, &path), expected);
            let other = TreeHash::leaf(b"another");
            assert_ne!(root_by_inclusion(other, index, size, &path), expected);
            let (longer, shorter) = ([&path[..], &[other]].concat(), path.split_last());
            assert_eq!(root_by_inclusion(*leaf, index, size, &longer), None);
            if let Some((_, shorter)) = shorter {
                assert_eq!(root_by_inclusion(*leaf, index, size, shorter), None);
            }
            for beside in (0..size).filter(|&beside| beside != index) {
                assert_ne!(root_by_inclusion(*leaf, beside, size, &path), expected);
            }
        }
        assert_eq!(Plan::inclusion(size, size), None);
        assert_eq!(root_by_inclusion(leaves[0], size, size, &[]), None);
    }
}

#[test]
fn the_left_of_a_path_is_the_tree_before() {
    for size in 1..40_u64 {
        let leaves = leaves(size);
        for index in 0..size {
            let left = before(index, size, &inclusion(&leaves, index));
            let tree = Frontier::from_parts(index, left).expect("one for each digit");
            assert_eq!(
                tree.root(),
                root(&leaves[..usize::try_from(index).unwrap()])
            );
        }
    }
}

/// Blocks are leaves of a tree of their own, which has the same root: the last may be short.
#[test]
fn a_block_is_proven_as_a_leaf_among_blocks() {
    for size in 1..70_u64 {
        let leaves = leaves(size);
        let blocks: Vec<_> = leaves.chunks(8).map(root).collect();
        for (index, block) in (0..).zip(&blocks) {
            let plan = Plan::inclusion_of(Subtree { level: 3, index }, size).unwrap();
            let path = plan.prove(keeper(&leaves)).unwrap();
            let count = size.div_ceil(8);
            let led_to = root_by_inclusion(*block, index, count, &path);
            assert_eq!(led_to, Some(root(&leaves)), "{index} of {size}");
        }
    }
}

#[test]
fn every_growth_of_small_trees_is_proven_and_no_other() {
    let all = leaves(36);
    for new in 0..all.len() {
        let grown = &all[..new];
        let to = (new as u64, root(grown));
        for old in 0..=new {
            let from = (old as u64, root(&grown[..old]));
            let proof = consistency(grown, old as u64);
            assert!(is_consistent(from, to, &proof), "{old} to {new}");
            let other = TreeHash::leaf(b"another");
            assert!(!is_consistent((from.0, other), to, &proof));
            assert!(old == 0 || !is_consistent(from, (to.0, other), &proof));
            let longer = [&proof[..], &[other]].concat();
            assert!(!is_consistent(from, to, &longer));
            for at in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[at] = other;
                assert!(!is_consistent(from, to, &wrong));
                assert!(!is_consistent(from, to, &proof[..at]));
            }
        }
    }
    assert_eq!(Plan::consistency(2, 1), None);
    assert!(!is_consistent((2, all[0]), (1, all[0]), &[]));
}

#[test]
fn what_is_not_kept_is_named() {
    let plan = Plan::inclusion(0, 4).unwrap();
    let missing = Subtree { level: 1, index: 1 };
    let given = |subtree| (subtree != missing).then(TreeHash::empty);
    assert_eq!(plan.prove(given), Err(Missing(missing)));
    assert!(plan.needs().any(|subtree| subtree == missing));
}

fn theirs(hash: &TreeHash) -> ct_merkle::digest::Output<Sha256> {
    (*hash.as_bytes()).into()
}

proptest! {
    /// Our proofs convince another implementation, and are the ones that it makes.
    #[test]
    fn another_implementation_agrees(size in 1_u64..200, at in 0_u64..200) {
        let at = at % size;
        let leaves = leaves(size);
        let mut tree = MemoryBackedTree::<Sha256, String>::new();
        for index in 0..size {
            tree.push(index.to_string());
        }
        let their_root = RootHash::new(theirs(&root(&leaves)), size);
        prop_assert_eq!(&tree.root(), &their_root);

        let path: Vec<_> = inclusion(&leaves, at).iter().map(theirs).collect();
        let path = InclusionProof::from_digests(&path);
        prop_assert!(their_root.verify_inclusion(&at.to_string(), at, &path).is_ok());
        let made = tree.prove_inclusion(usize::try_from(at).unwrap());
        prop_assert_eq!(made.as_bytes(), path.as_bytes());

        let old = at + 1;
        let proof: Vec<_> = consistency(&leaves, old).iter().map(theirs).collect();
        let proof = ConsistencyProof::from_digests(&proof);
        let old_root = root(&leaves[..usize::try_from(old).unwrap()]);
        let old_root = RootHash::new(theirs(&old_root), old);
        prop_assert!(their_root.verify_consistency(&old_root, &proof).is_ok());
        let made = tree.prove_consistency(usize::try_from(size - old).unwrap());
        prop_assert_eq!(made.as_bytes(), proof.as_bytes());
    }
}
