//! What erasable values were: shown beside the entry, or gone, and the log is whole either way.

use super::doctored::Doctored;
use super::made::{Made, has_erasable};
use super::{Cases, at, whole_file};

/// Where the values of entry 1 are.
fn shown(export: &Doctored) -> usize {
    export.entry(1) + 1
}

#[test]
fn values_that_are_not_the_recorded_ones_are_named() {
    let export = Doctored::new(&Made::of(10).export());
    let line = shown(&export);
    let mut cases = Cases::default();
    for (from, to) in [
        ("person 1", "person 2"),
        ("\"disclosed\":1", "\"disclosed\":6"),
        ("\"login\"", "\"name\""),
        ("\"salt\":\"", "\"salt\":\"AAAA"),
        ("\"fields\":{", "\"fields\":{\"more\":1,"),
        ("\"value\":", "\"values\":"),
    ] {
        cases.expect(to, export.replaced(line, from, to), at("disclosure", 1));
    }
    cases.check();
}

#[test]
fn values_in_another_place_are_named() {
    let export = Doctored::new(&Made::of(10).export());
    let line = shown(&export);
    let moved = |to: usize| {
        let mut other = export.clone();
        let values = other.lines.remove(line);
        other.lines.insert(to, values);
        other.bytes()
    };
    let mut cases = Cases::default();
    cases.expect("before its entry", moved(line - 1), at("disclosure", 0));
    cases.expect("behind another", moved(line + 1), at("disclosure", 2));
    cases.expect("before all blocks", moved(1), at("disclosure", 0));
    cases.expect("behind the block line", moved(2), at("disclosure", 0));
    let mut twice = export.clone();
    let values = twice.lines[line].clone();
    twice.lines.insert(line, values);
    cases.expect("twice", twice.bytes(), at("disclosure", 2));
    cases.check();
}

/// Erased by whoever keeps the log: not shown, and nothing is wrong. Taken out of a signed file:
/// the signature tells.
#[test]
fn a_log_whose_values_were_erased_is_whole() {
    let mut export = Doctored::new(&Made::of(10).export());
    let line = shown(&export);
    export.lines.remove(line);
    let mut cases = Cases::default();
    cases.expect("taken out", export.bytes(), whole_file("signature"));
    let erased = Made::of(10).selection(0..10, has_erasable);
    assert!(!String::from_utf8_lossy(&erased).contains("disclosed"));
    cases.expect("never shown", erased, None);
    cases.check();
}
