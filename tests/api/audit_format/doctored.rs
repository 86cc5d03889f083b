//! Broken logs: what was done to each is named, at the first entry that it concerns (attacks
//! AUD-02).

use std::ops::Range;

use lanyard::audit::format::TreeHash;

use super::made::{Asked, LOG, MADE_AT, Made, has_erasable, other_signer, signer};
use super::{Cases, among, at, whole_file};

/// An export as lines that can be moved about.
#[derive(Clone)]
pub(super) struct Doctored {
    pub(super) lines: Vec<Vec<u8>>,
}

impl Doctored {
    pub(super) fn new(export: &[u8]) -> Self {
        let lines = export.split_inclusive(|&byte| byte == b'\n');
        Self {
            lines: lines.map(<[u8]>::to_vec).collect(),
        }
    }

    /// Where the line of an entry is.
    pub(super) fn entry(&self, index: u64) -> usize {
        let beginning = format!("{{\"v\":1,\"log\":\"{LOG}\",\"index\":{index},");
        self.begins(&beginning)
    }

    fn block(&self, number: u64) -> usize {
        self.begins(&format!("{{\"block\":{number},"))
    }

    fn begins(&self, beginning: &str) -> usize {
        let is_it = |line: &Vec<u8>| line.starts_with(beginning.as_bytes());
        let found = self.lines.iter().position(is_it);
        found.unwrap_or_else(|| panic!("a line begins with {beginning}"))
    }

    /// The lines of an entry: its own, and what is disclosed of it.
    fn lines_of(&self, index: u64) -> Range<usize> {
        let at = self.entry(index);
        at..at + 1 + usize::from(has_erasable(index))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lines.concat()
    }

    fn without(&self, lines: Range<usize>) -> Vec<u8> {
        let mut other = self.clone();
        other.lines.drain(lines);
        other.bytes()
    }

    fn swapped(&self, a: u64, b: u64) -> Vec<u8> {
        let mut other = self.clone();
        let (a, b) = (self.entry(a), self.entry(b));
        other.lines.swap(a, b);
        other.bytes()
    }

    fn with(&self, at: usize, line: &[u8]) -> Vec<u8> {
        let mut other = self.clone();
        other.lines.insert(at, line.to_vec());
        other.bytes()
    }

    pub(super) fn replaced(&self, at: usize, from: &str, to: &str) -> Vec<u8> {
        let mut other = self.clone();
        let line = String::from_utf8(other.lines[at].clone()).unwrap();
        assert!(line.contains(from), "{from} is in {line}");
        other.lines[at] = line.replacen(from, to, 1).into_bytes();
        other.bytes()
    }

    /// With one bit of the first byte of a member's value changed.
    fn flipped(&self, at: usize, member: &str) -> Vec<u8> {
        let mut other = self.clone();
        let name = format!("\"{member}\":");
        let line = &mut other.lines[at];
        let begins = line.windows(name.len()).position(|w| w == name.as_bytes());
        let value = begins.unwrap_or_else(|| panic!("{member} is there")) + name.len();
        // Of a text, its first letter.
        let value = value + usize::from(line[value] == b'"');
        line[value] ^= 1;
        other.bytes()
    }

    fn cut(&self, at: usize, more: usize) -> Vec<u8> {
        let before: usize = self.lines[..at].iter().map(Vec::len).sum();
        self.bytes()[..before + more].to_vec()
    }
}

const MEMBERS: [&str; 14] = [
    "v",
    "log",
    "index",
    "id",
    "type",
    "class",
    "account",
    "subject",
    "actor",
    "occurred_at",
    "recorded_at",
    "trace",
    "mac",
    "detail",
];

#[test]
fn a_flipped_bit_in_any_member_of_an_entry_is_named() {
    let mut cases = Cases::default();
    for (size, indices) in [(1, vec![0]), (700, vec![0, 17, 255, 256, 511, 699])] {
        let export = Doctored::new(&Made::of(size).export());
        for index in indices {
            for member in MEMBERS {
                let name = format!("{member} of {index} of {size}");
                let line = export.entry(index);
                cases.expect(name, export.flipped(line, member), at("altered", index));
            }
        }
    }
    cases.check();
}

#[test]
fn an_entry_that_is_gone_is_named() {
    let export = Doctored::new(&Made::of(700).export());
    let mut cases = Cases::default();
    for index in [0, 4, 254, 255, 256, 300, 510, 511, 512, 698, 699] {
        let gone = export.without(export.lines_of(index));
        cases.expect(format!("{index}"), gone, at("missing", index));
    }
    for (from, to) in [(0, 9), (100, 250), (240, 256), (600, 700)] {
        let lines = export.lines_of(from).start..export.lines_of(to - 1).end;
        let gone = export.without(lines);
        cases.expect(format!("{from} to {to}"), gone, at("missing", from));
    }
    let block = export.block(1)..export.block(2);
    cases.expect("a block", export.without(block), at("missing", 256));
    let last = export.block(2)..export.lines.len() - 2;
    cases.expect("the last block", export.without(last), at("missing", 512));
    cases.check();
}

#[test]
fn entries_in_another_order_are_named() {
    let export = Doctored::new(&Made::of(700).export());
    let mut cases = Cases::default();
    // None of them has a line of its own for what is disclosed.
    for (a, b) in [(2, 3), (0, 254), (3, 200), (513, 699)] {
        let name = format!("{a} and {b}");
        cases.expect(name, export.swapped(a, b), at("reordered", a));
    }
    // In the other's block neither line is known.
    cases.expect("blocks apart", export.swapped(10, 300), at("altered", 10));
    let mut other = export.clone();
    let second = other.lines.drain(export.block(1)..export.block(2));
    let second: Vec<_> = second.collect();
    let first = export.block(0);
    other.lines.splice(first..first, second);
    cases.expect("blocks", other.bytes(), at("missing", 0));
    cases.check();
}

#[test]
fn a_line_that_was_never_recorded_is_named() {
    let export = Doctored::new(&Made::of(700).export());
    let forged = Made::of(1000).lines[900].clone() + "\n";
    let mut cases = Cases::default();
    for index in [0, 5, 255, 400, 699] {
        let added = export.with(export.entry(index), forged.as_bytes());
        cases.expect(format!("before {index}"), added, at("inserted", index));
    }
    let end = export.lines.len() - 2;
    let added = export.with(end, forged.as_bytes());
    cases.expect("after the last", added, at("inserted", 700));
    let added = export.with(export.block(1), forged.as_bytes());
    cases.expect("between blocks", added, at("inserted", 256));
    let line = export.entry(8);
    let twice = export.with(line, &export.lines[line]);
    cases.expect("twice", twice, at("inserted", 9));
    let block = export.block(1);
    let twice = export.with(block + 1, &export.lines[block]);
    cases.expect("a block line twice", twice, at("missing", 256));
    let first = export.with(block, &export.lines[export.block(0)]);
    cases.expect("an earlier block line", first, at("inserted", 256));
    cases.check();
}

#[test]
fn a_tail_that_was_cut_off_is_named() {
    let export = Doctored::new(&Made::of(700).export());
    let lines = export.lines.len();
    let mut cases = Cases::default();
    cases.expect("nothing left", Vec::new(), whole_file("header"));
    cases.expect("in the header", export.cut(0, 20), whole_file("header"));
    cases.expect("after the header", export.cut(1, 0), at("truncated", 0));
    cases.expect("in a block line", export.cut(1, 30), at("truncated", 0));
    for index in [0, 20, 255, 256, 512, 699] {
        let line = export.entry(index);
        let name = format!("before {index}");
        cases.expect(name, export.cut(line, 0), at("truncated", index));
        let name = format!("in {index}");
        cases.expect(name, export.cut(line, 50), at("truncated", index));
        let line_feed = export.lines[line].len() - 1;
        let name = format!("before the line feed of {index}");
        cases.expect(name, export.cut(line, line_feed), at("truncated", index));
    }
    cases.expect(
        "end and signature",
        export.cut(lines - 2, 0),
        at("truncated", 700),
    );
    cases.expect(
        "the signature",
        export.cut(lines - 1, 0),
        at("truncated", 700),
    );
    cases.expect(
        "in the signature",
        export.cut(lines - 1, 9),
        at("truncated", 700),
    );
    let almost = export.bytes();
    let almost = almost[..almost.len() - 1].to_vec();
    cases.expect("the last byte", almost, at("truncated", 700));
    let endless = export.without(lines - 2..lines - 1);
    cases.expect("the end line", endless, whole_file("end"));
    let longer = [&export.bytes()[..], b"\n"].concat();
    cases.expect("something added", longer, whole_file("end"));
    cases.check();
}

#[test]
fn a_block_whose_hashes_were_changed_is_named() {
    let log = Made::of(700);
    let export = Doctored::new(&log.export());
    let mut cases = Cases::default();
    for (number, first, until) in [(0, 0, 256), (1, 256, 512), (2, 512, 700)] {
        for member in ["leaves", "path"] {
            let flipped = export.flipped(export.block(number), member);
            let name = format!("{member} of {number}");
            cases.expect(name, flipped, among("block", first, until));
        }
    }
    let part = Doctored::new(&log.export_of(300..400));
    let flipped = part.flipped(part.block(1), "path");
    cases.expect("of a part", flipped, among("block", 300, 400));
    for (from, to) in [
        (",\"path\"", ",\"paths\""),
        ("\"block\":1", "\"block\":1.0"),
    ] {
        let unreadable = export.replaced(export.block(1), from, to);
        cases.expect(to, unreadable, among("block", 256, 512));
    }
    cases.check();
}

/// Whoever changes an entry and its hash as well is caught by the proof.
#[test]
fn a_forger_who_computes_hashes_anew_is_caught_by_the_root() {
    let log = Made::of(700);
    let mut forged = log.clone();
    forged.lines[300] = forged.lines[300].replacen("signed_in", "signed_up", 1);
    let forged_leaves = &forged.leaves()[256..512];
    let mut export = Doctored::new(&log.export());
    let (entry, block) = (export.entry(300), export.block(1));
    export.lines[entry] = format!("{}\n", forged.lines[300]).into_bytes();
    let line = String::from_utf8(export.lines[block].clone()).unwrap();
    let honest = TreeHash::list_to_base64(&log.leaves()[256..512]);
    let line = line.replace(&honest, &TreeHash::list_to_base64(forged_leaves));
    export.lines[block] = line.into_bytes();
    let mut cases = Cases::default();
    cases.expect("its block", export.bytes(), among("block", 256, 512));

    // And everything above, with a key of her own.
    let everything = forged.export_as(&Asked {
        entries: 0..700,
        size: 700,
        without: None,
        made_at: MADE_AT,
        signer: other_signer(),
    });
    cases.expect("its key", everything, whole_file("untrusted"));
    // Or with the log's checkpoint before it.
    let mut mixed = Doctored::new(&forged.export());
    mixed.lines[0] = Doctored::new(&log.export()).lines[0].clone();
    cases.expect("the honest header", mixed.bytes(), among("block", 0, 256));
    cases.check();
}

#[test]
fn a_changed_header_is_named() {
    let export = Doctored::new(&Made::of(300).export());
    let header = |from: &str, to: &str| export.replaced(0, from, to);
    let mut cases = Cases::default();
    for (from, to, kind) in [
        ("audit\":1", "audit\":2", "header"),
        ("audit\":1", "audit\":\"1\"", "header"),
        ("\"selection\":false", "\"selection\":null", "header"),
        ("\"selection\"", "\"more\":1,\"selection\"", "header"),
        ("\"to\":300", "\"to\":301", "header"),
        ("\"from\":0", "\"from\":301", "header"),
        ("\"from\":0", "\"from\":-1", "header"),
        ("T15:00:00.000000Z", "T15:00:00Z", "header"),
        ("\"log\":\"5", "\"log\":\"6", "header"),
        ("\"origin\":\"id", "\"origin\":\"ie", "header"),
        ("\"checkpoint\":\"id", "\"checkpoint\":\"ie", "checkpoint"),
        ("\\n300\\n", "\\n301\\n", "checkpoint"),
        ("\\n\\n\u{2014} ", "\\n\u{2014} ", "checkpoint"),
        ("\u{2014} id.", "\u{2014} ie.", "untrusted"),
        ("T15:00:00", "T15:00:01", "signature"),
        ("\"keys\":[\"id", "\"keys\":[\"ie", "signature"),
        ("\"from\":0", "\"from\": 0", "signature"),
        ("\"selection\":false", "\"selection\":true", "signature"),
    ] {
        cases.expect(to, header(from, to), whole_file(kind));
    }
    // The range is told by what follows, before anything is signed.
    cases.expect(
        "later",
        header("\"from\":0", "\"from\":2"),
        at("inserted", 2),
    );
    cases.expect(
        "earlier",
        header("\"to\":300", "\"to\":299"),
        at("inserted", 299),
    );
    cases.check();
}

#[test]
fn an_end_that_does_not_fit_is_named() {
    let log = Made::of(300);
    let export = Doctored::new(&log.export());
    let (end, signature) = (export.lines.len() - 2, export.lines.len() - 1);
    let mut cases = Cases::default();
    for (from, to, kind) in [
        ("300", "299", "end"),
        ("300", "\"300\"", "end"),
        (":", ": ", "signature"),
    ] {
        cases.expect(to, export.replaced(end, from, to), whole_file(kind));
    }
    let other = Doctored::new(&log.export_of(0..299));
    let mut foreign = export.clone();
    foreign.lines[signature].clone_from(&other.lines[other.lines.len() - 1]);
    cases.expect(
        "another's signature",
        foreign.bytes(),
        whole_file("signature"),
    );
    let mut stolen = export.clone();
    let checkpoint = log.checkpoint(300).sign(&signer()).unwrap();
    let line = serde_json::json!({ "signature": checkpoint });
    stolen.lines[signature] = format!("{line}\n").into_bytes();
    cases.expect(
        "a checkpoint for it",
        stolen.bytes(),
        whole_file("signature"),
    );
    cases.check();
}

#[test]
fn a_selection_that_lost_an_entry_is_not_whole() {
    let log = Made::of(700);
    let export = Doctored::new(&log.selection(0..700, |index| index % 3 != 0));
    let mut cases = Cases::default();
    let line = export.entry(300);
    let mut less = export.clone();
    less.lines.remove(line);
    cases.expect("one less", less.bytes(), whole_file("end"));
    let end = less.lines.len() - 2;
    let counted = less.replaced(end, "234", "233");
    cases.expect("and counted", counted, whole_file("signature"));
    cases.expect("altered", export.flipped(line, "type"), at("altered", 300));
    cases.expect("no index", export.flipped(line, "v"), at("altered", 298));
    cases.expect("swapped", export.swapped(303, 309), at("reordered", 306));
    cases.expect("cut", export.cut(line, 0), at("truncated", 298));
    let block = export.block(2);
    cases.expect(
        "an earlier block",
        export.with(block, &export.lines[1].clone()),
        at("inserted", 512),
    );
    cases.check();
}

/// Every byte of a small export, changed: nothing passes, and both name the same.
#[test]
fn no_changed_byte_passes() {
    let export = Made::of(3).export();
    let mut cases = Cases::default();
    for (place, bit) in (0..export.len()).zip([1_u8, 2, 16, 32, 128].into_iter().cycle()) {
        let mut changed = export.clone();
        changed[place] ^= bit;
        cases.expect_broken(format!("byte {place} by {bit}"), changed);
    }
    cases.check();
}
