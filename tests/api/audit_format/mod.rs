//! The log's format: `lanyard audit verify` and tests/audit/verify.py, which was written from
//! docs/AUDIT-FORMAT.md alone, over the same logs, good and broken.

mod anchors;
mod disclosures;
mod doctored;
mod document;
pub(crate) mod made;
mod whole;

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use lanyard::audit::format::Vkey;
use lanyard::audit::format::export::{Verdict, verify};
use serde_json::Value;

use crate::cli::folder::Folder;
use made::signer;

/// What both verifiers say: nothing of a whole export, or the first finding's kind, index and the
/// index after the last entry it may concern.
type Said = Option<(String, Option<u64>, Option<u64>)>;

/// The finding of this kind at this entry.
#[expect(
    clippy::unnecessary_wraps,
    reason = "what is expected has the shape of what is said"
)]
fn at(kind: &str, index: u64) -> Said {
    Some((kind.to_owned(), Some(index), None))
}

/// The finding of this kind that may concern these entries.
#[expect(
    clippy::unnecessary_wraps,
    reason = "what is expected has the shape of what is said"
)]
fn among(kind: &str, first: u64, until: u64) -> Said {
    Some((kind.to_owned(), Some(first), Some(until)))
}

/// The finding of this kind that concerns no entry.
#[expect(
    clippy::unnecessary_wraps,
    reason = "what is expected has the shape of what is said"
)]
fn whole_file(kind: &str) -> Said {
    Some((kind.to_owned(), None, None))
}

fn ours(export: &[u8], keys: &[Vkey], anchor: Option<&[u8]>) -> Said {
    let verdict = verify(export, keys, anchor.map(Cursor::new), |_| ());
    match verdict.expect("memory can be read") {
        Verdict::Whole(_) => None,
        Verdict::Broken(finding) => {
            let name = finding.kind.name().to_owned();
            Some((name, finding.index, finding.until))
        }
    }
}

/// What the other verifier says of each file.
fn theirs(files: &[PathBuf], keys: &[Vkey], anchor: Option<&Path>) -> Vec<Said> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/audit/verify.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(script);
    for key in keys {
        command.arg("--key").arg(key.to_text());
    }
    if let Some(anchor) = anchor {
        command.arg("--anchor").arg(anchor);
    }
    let output = command.args(files).output().expect("python3 runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.is_empty(), "{words}");
    let verdicts: Vec<Said> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| said(&serde_json::from_str(line).unwrap()))
        .collect();
    assert_eq!(verdicts.len(), files.len());
    let all_whole = verdicts.iter().all(Option::is_none);
    assert_eq!(output.status.success(), all_whole);
    verdicts
}

fn said(verdict: &Value) -> Said {
    match verdict["verdict"].as_str() {
        Some("whole") => None,
        Some("broken") => Some((
            verdict["kind"].as_str().unwrap().to_owned(),
            verdict["index"].as_u64(),
            verdict["until"].as_u64(),
        )),
        other => panic!("{other:?} is no verdict"),
    }
}

/// Exports under names, each with what is to be said of it.
#[derive(Default)]
struct Cases {
    all: Vec<(String, Vec<u8>, Option<Said>)>,
}

impl Cases {
    /// One of which this must be said.
    fn expect(&mut self, name: impl Into<String>, export: Vec<u8>, said: Said) {
        self.all.push((name.into(), export, Some(said)));
    }

    /// One that is broken, in whichever way.
    fn expect_broken(&mut self, name: impl Into<String>, export: Vec<u8>) {
        self.all.push((name.into(), export, None));
    }

    /// Both verifiers say the same of each, and what was expected.
    fn check(self) {
        self.check_with(&[signer().vkey().clone()], None);
    }

    fn check_with(self, keys: &[Vkey], anchor: Option<&[u8]>) {
        assert!(!self.all.is_empty(), "there are cases");
        let folder = Folder::new();
        let anchor_path = anchor.map(|bytes| {
            let path = folder.path().join("anchor");
            std::fs::write(&path, bytes).unwrap();
            path
        });
        let files: Vec<_> = (0..self.all.len())
            .map(|number| folder.path().join(number.to_string()))
            .collect();
        for (file, (_, export, _)) in files.iter().zip(&self.all) {
            std::fs::write(file, export).unwrap();
        }
        let theirs = theirs(&files, keys, anchor_path.as_deref());
        for ((name, export, expected), theirs) in self.all.into_iter().zip(theirs) {
            let ours = ours(&export, keys, anchor);
            assert_eq!(ours, theirs, "{name}: ours and theirs");
            match expected {
                Some(expected) => assert_eq!(ours, expected, "{name}"),
                None => assert_ne!(ours, None, "{name}"),
            }
        }
    }
}
