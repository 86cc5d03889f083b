//! What was kept elsewhere, held against an export: a log that is told in two versions is found
//! out, though both are signed by its key.

use super::made::{Asked, MADE_AT, Made, signer};
use super::{Cases, among, at, whole_file};

const BEFORE: &str = "2026-03-02T14:59:00.000000Z";
const LATER: &str = "2026-03-02T15:00:00.000001Z";

/// The same log but for one entry, by whoever has the key.
fn forged(log: &Made, index: usize) -> Made {
    let mut other = log.clone();
    other.lines[index] = other.lines[index].replacen("signed_in", "signed_up", 1);
    other
}

fn anchor(log: &Made, sizes: &[u64]) -> String {
    sizes
        .iter()
        .map(|&size| log.anchored(size, BEFORE))
        .collect()
}

fn check(cases: Cases, anchor: &str) {
    cases.check_with(&[signer().vkey().clone()], Some(anchor.as_bytes()));
}

#[test]
fn a_log_that_agrees_with_its_anchor_is_whole() {
    let log = Made::of(700);
    let mut cases = Cases::default();
    cases.expect("all", log.export(), None);
    cases.expect("a part", log.export_of(300..400), None);
    cases.expect(
        "a selection",
        log.selection(0..700, |index| index < 600),
        None,
    );
    let sizes = [0, 1, 100, 256, 256, 300, 511, 512, 513, 699, 700];
    check(cases, &anchor(&log, &sizes));
}

#[test]
fn a_rewritten_log_is_caught_between_two_checkpoints() {
    let log = Made::of(700);
    let kept = anchor(&log, &[100, 256, 290, 350, 700]);
    let mut cases = Cases::default();
    for (index, first, until) in [
        (0, 0, 100),
        (256, 256, 290),
        (320, 290, 350),
        (699, 350, 700),
    ] {
        let name = format!("entry {index}");
        let export = forged(&log, index).export();
        cases.expect(name, export, among("forked", first, until));
    }
    let part = forged(&log, 320).export_of(520..600);
    cases.expect("a part after it", part, among("forked", 0, 700));
    check(cases, &kept);
}

#[test]
fn two_exports_name_the_first_entry_that_differs() {
    let log = Made::of(700);
    let kept = String::from_utf8(log.export_of(200..600)).unwrap();
    let mut cases = Cases::default();
    cases.expect("the same", log.export(), None);
    let older = log.export_as(&Asked {
        entries: 0..500,
        size: 500,
        without: None,
        made_at: BEFORE,
        signer: signer(),
    });
    cases.expect("an older one", older, None);
    for index in [100, 320, 511] {
        let export = forged(&log, index).export();
        let first = index as u64;
        let name = format!("entry {index}");
        cases.expect(name, export, among("forked", first, first + 1));
    }
    check(cases, &kept);
}

#[test]
fn a_log_that_was_longer_once_lost_its_tail() {
    let log = Made::of(700);
    let mut cases = Cases::default();
    cases.expect("cut", Made::of(650).export(), at("truncated", 650));
    cases.expect("not cut", log.export(), None);
    check(cases, &anchor(&log, &[600, 650, 700]));

    let mut cases = Cases::default();
    cases.expect("older than the anchor", Made::of(650).export(), None);
    let kept = anchor(&log, &[650]) + &log.anchored(700, LATER);
    check(cases, &kept);

    let mut cases = Cases::default();
    cases.expect(
        "at the same instant",
        Made::of(650).export(),
        at("truncated", 650),
    );
    let kept = anchor(&log, &[650]) + &log.anchored(700, MADE_AT);
    check(cases, &kept);
}

#[test]
fn an_anchor_that_can_not_be_used_is_said_to_be() {
    let log = Made::of(700);
    let good = anchor(&log, &[100, 300]);
    let foreign = good
        .replacen(":\\u2014", ":", 1)
        .replacen("\\n100\\n", "\\n101\\n", 1);
    let mut broken_export = String::from_utf8(log.export()).unwrap();
    broken_export = broken_export.replacen("signed_in", "signed_up", 1);
    for (name, kept) in [
        ("empty", String::new()),
        ("no JSON", good.replacen('{', "[", 1)),
        ("forged", foreign),
        ("smaller again", anchor(&log, &[300, 100])),
        ("another instant", good.replacen(BEFORE, "yesterday", 1)),
        ("an export that fails", broken_export),
        ("nothing to compare", log.anchored(1, LATER)),
    ] {
        let mut cases = Cases::default();
        cases.expect(name, log.export_of(300..310), whole_file("anchor"));
        check(cases, &kept);
    }
    // What was being written when the machine stopped is no line.
    let mut cases = Cases::default();
    cases.expect("torn", log.export(), None);
    check(cases, &(good + "{\"made_at\":\"2026-"));
}
