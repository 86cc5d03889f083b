//! Sizes, roots, and what is kept.

use proptest::prelude::*;

use super::super::tree::full;
use super::super::{Frontier, Subtree, TreeHash};
use super::{leaves, root};

/// The leaves and roots that the tests of Certificate Transparency have used since RFC 6962.
const KNOWN: [(&str, &str); 8] = [
    (
        "",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    ),
    (
        "00",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    ),
    (
        "10",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    ),
    (
        "2021",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (
        "3031",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    ),
    (
        "40414243",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    ),
    (
        "5051525354555657",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    ),
    (
        "606162636465666768696a6b6c6d6e6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
];

#[test]
fn roots_are_those_of_certificate_transparency() {
    let mut tree = Frontier::new();
    assert_eq!(
        hex::encode(tree.root().as_bytes()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (leaf, root) in KNOWN {
        tree.append(TreeHash::leaf(&hex::decode(leaf).unwrap()));
        assert_eq!(hex::encode(tree.root().as_bytes()), root);
    }
}

#[test]
fn a_grown_tree_has_the_root_of_the_definition_at_every_size() {
    let leaves = leaves(300);
    let mut tree = Frontier::new();
    for (size, leaf) in leaves.iter().enumerate() {
        assert_eq!(tree.root(), root(&leaves[..size]), "size {size}");
        tree.append(*leaf);
    }
}

#[test]
fn a_frontier_that_was_kept_goes_on() {
    let leaves = leaves(77);
    let mut tree = Frontier::new();
    for leaf in &leaves {
        let kept = tree.subtrees().to_vec();
        tree = Frontier::from_parts(tree.size(), kept).expect("as many as the size has digits");
        tree.append(*leaf);
    }
    assert_eq!(tree.root(), root(&leaves));
    assert_eq!(Frontier::from_parts(3, vec![leaves[0]]), None);
}

#[test]
fn full_subtrees_are_appended_whole_where_they_fit() {
    let leaves = leaves(11);
    let mut tree = Frontier::new();
    assert!(tree.append_full(3, full(&leaves[..8]).unwrap()));
    assert!(tree.append_full(1, full(&leaves[8..10]).unwrap()));
    assert!(!tree.append_full(2, leaves[10]), "10 is no multiple of 4");
    tree.append(leaves[10]);
    assert_eq!((tree.size(), tree.root()), (11, root(&leaves)));
    assert_eq!(full(&leaves[..3]), None);
}

proptest! {
    /// What is kept on each eighth level is enough to compute any full subtree.
    #[test]
    fn a_subtree_is_computed_from_what_is_kept(level in 0_u32..11, index in 0_u64..3) {
        let subtree = Subtree { level, index };
        let leaves = leaves(subtree.leaves().end);
        let of = |range: std::ops::Range<u64>| {
            &leaves[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
        };
        let (kept, indices) = subtree.kept(8);
        prop_assert!(kept % 8 == 0 && kept <= level);
        let hashes: Vec<_> = indices
            .map(|index| root(of(Subtree { level: kept, index }.leaves())))
            .collect();
        prop_assert!(hashes.len() <= 128);
        prop_assert_eq!(full(&hashes), Some(root(of(subtree.leaves()))));
    }
}

#[test]
fn hashes_are_read_as_they_are_written_and_not_otherwise() {
    let hashes = leaves(3);
    let text = TreeHash::list_to_base64(&hashes);
    assert_eq!(
        TreeHash::list_from_base64(&text).as_deref(),
        Some(&hashes[..])
    );
    assert_eq!(
        TreeHash::from_base64(&hashes[0].to_base64()),
        Some(hashes[0])
    );
    for wrong in ["", "AAAA", &text, &hashes[0].to_base64()[..43]] {
        assert_eq!(TreeHash::from_base64(wrong), None, "{wrong}");
    }
    assert_eq!(TreeHash::list_from_base64("AAAA"), None);
}
