//! The fuzzers' targets without a fuzzer: each on its seeds and on mutations of them. The long run,
//! guided by coverage, is `tests/fuzz/run`.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngSeed, TestRunner};

#[path = "../fuzz/targets/mod.rs"]
mod targets;

/// Inputs that each target gets beside its seeds.
const MUTATIONS: u32 = 4_000;

/// One change of an input.
#[derive(Clone, Debug)]
enum Change {
    Put(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index, Index),
    Double(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..8),
        // What parsers trip over: separators, escapes, ends of lines, what is not UTF-8.
        prop::sample::select(vec![
            "&", "=", "%", "%00", "%0d%0a", ";", ",", "\"", "\\", "\0", "\r\n", ".", "..", "@",
            "[", "]", "{", "}", "null", "-1", "1e400", "\u{feff}", "\u{202e}", "İ", "+", " ",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        Just(vec![0xff, 0xfe]),
        Just(vec![b'a'; 9000]),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (any::<Index>(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Change::Cut(a, b)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Change::Double(a, b)),
    ]
}

fn apply(input: &mut Vec<u8>, change: &Change) {
    let place = |index: &Index| index.index(input.len() + 1);
    let range = |a: &Index, b: &Index| place(a).min(place(b))..place(a).max(place(b));
    match change {
        Change::Put(at, byte) if !input.is_empty() => {
            let at = at.index(input.len());
            input[at] = *byte;
        }
        Change::Put(_, byte) => input.push(*byte),
        Change::Insert(at, piece) => {
            let at = place(at);
            input.splice(at..at, piece.iter().copied());
        }
        Change::Cut(a, b) => drop(input.drain(range(a, b))),
        Change::Double(a, b) => {
            let range = range(a, b);
            let (end, piece) = (range.end, input[range].to_vec());
            input.splice(end..end, piece);
        }
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    let entries = fs::read_dir(folder.join(target)).expect("a folder of seeds");
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// DOS-13, HTTP-06: whatever bytes come, a parser refuses them or reads them as they stand.
#[test]
fn no_parser_panics_or_reads_what_is_not_there() {
    for (name, target) in targets::ALL {
        let seeds = seeds(name);
        for seed in &seeds {
            target(seed);
        }
        let config = ProptestConfig {
            cases: MUTATIONS,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(20_261_125),
            ..ProptestConfig::default()
        };
        let inputs = (
            prop::sample::select(seeds),
            prop::collection::vec(change(), 1..6),
        )
            .prop_map(|(mut input, changes)| {
                for change in &changes {
                    apply(&mut input, change);
                }
                input
            });
        let ran = TestRunner::new(config).run(&inputs, |input| {
            target(&input);
            Ok(())
        });
        assert!(ran.is_ok(), "{name}: {}", ran.unwrap_err());
    }
}

/// Each target of the list has its program for the fuzzer, and no program is without a target.
#[test]
fn every_target_is_a_program_of_the_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/bin");
    let mut programs: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    programs.sort();
    let mut names = targets::ALL.map(|(name, _)| name);
    names.sort_unstable();
    assert_eq!(programs, names);
}
