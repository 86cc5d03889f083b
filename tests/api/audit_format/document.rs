//! The example of docs/AUDIT-FORMAT.md.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lanyard::audit::format::TreeHash;
use lanyard::audit::format::export::Kind;
use ring::digest::{SHA256, digest};

use super::Cases;
use super::made::{Made, signer};

const PAGE: &str = include_str!("../../../docs/AUDIT-FORMAT.md");

/// The blocks of the example, in their order: key, file, values.
fn example() -> Vec<&'static str> {
    let (_, section) = PAGE.split_once("\n## An example\n").expect("a section");
    let fenced = section.split("\n```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').expect("a block has lines").1)
        .collect()
}

#[test]
fn the_example_is_what_it_says() {
    let blocks = example();
    let [key, file, values] = blocks.as_slice() else {
        panic!("{} blocks", blocks.len());
    };
    let log = Made::of(2);
    let export = String::from_utf8(log.export()).unwrap();
    assert_eq!(*key, signer().vkey().to_text());
    assert_eq!(*file, export.trim_end());

    let checkpoint = log.checkpoint(2);
    let leaves = log.leaves();
    let before = export.rfind("{\"signature\"").unwrap();
    let digest = STANDARD.encode(digest(&SHA256, &export.as_bytes()[..before]));
    let text = checkpoint.text();
    let expected = format!(
        "leaf 0: {}\nleaf 1: {}\nroot:   {}\ndigest: {digest}\n\ncheckpoint, as it is signed:\n{}",
        leaves[0].to_base64(),
        leaves[1].to_base64(),
        checkpoint.root.to_base64(),
        text.trim_end(),
    );
    assert_eq!(*values, expected);
    assert_eq!(checkpoint.root, TreeHash::node(&leaves[0], &leaves[1]));

    let mut cases = Cases::default();
    cases.expect("the example", format!("{file}\n").into_bytes(), None);
    cases.check();
}

#[test]
fn the_document_names_every_finding() {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    let named: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
    for kind in Kind::ALL {
        assert!(named.contains(&kind.name()), "{}", kind.name());
    }
}
