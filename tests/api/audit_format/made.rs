//! Logs that were never kept by anyone, and exports of them.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lanyard::audit::format::export::{
    Block, Disclosure, Entry, Header, VERSION, Writer, anchored, blocks,
};
use lanyard::audit::format::{Checkpoint, Frontier, NoteSigner, Subtree, TreeHash, tree};
use ring::digest::{SHA256, digest};

pub(crate) const LOG: &str = "5f50c6e1-4f3a-4ede-90f8-e58cc1c242a2";
pub(crate) const MADE_AT: &str = "2026-03-02T15:00:00.000000Z";
const KEY_NAME: &str = "id.example.test/audit";

pub(crate) fn signer() -> NoteSigner {
    NoteSigner::from_seed(KEY_NAME, &[7; 32]).unwrap()
}

/// Another key of the same name.
pub(crate) fn other_signer() -> NoteSigner {
    NoteSigner::from_seed(KEY_NAME, &[8; 32]).unwrap()
}

pub(crate) fn origin() -> String {
    format!("id.example.test/audit/{LOG}")
}

/// A log that holds these lines.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) lines: Vec<String>,
}

/// How an export is asked for.
pub(crate) struct Asked {
    pub(crate) entries: Range<u64>,
    /// The checkpoint's size.
    pub(crate) size: u64,
    /// Entries that are left out of a selection; none for the whole range.
    pub(crate) without: Option<fn(u64) -> bool>,
    pub(crate) made_at: &'static str,
    pub(crate) signer: NoteSigner,
}

impl Made {
    pub(crate) fn of(size: u64) -> Self {
        Self {
            lines: (0..size).map(line).collect(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.lines.len() as u64
    }

    pub(crate) fn leaves(&self) -> Vec<TreeHash> {
        let leaf = |line: &String| TreeHash::leaf(line.as_bytes());
        self.lines.iter().map(leaf).collect()
    }

    pub(crate) fn checkpoint(&self, size: u64) -> Checkpoint {
        let mut tree = Frontier::new();
        for leaf in &self.leaves()[..usize::try_from(size).unwrap()] {
            tree.append(*leaf);
        }
        Checkpoint {
            origin: origin(),
            size,
            root: tree.root(),
        }
    }

    /// An anchor's line for this size.
    pub(crate) fn anchored(&self, size: u64, made_at: &str) -> String {
        let note = self.checkpoint(size).sign(&signer()).unwrap();
        anchored(made_at, &note)
    }

    /// Everything.
    pub(crate) fn export(&self) -> Vec<u8> {
        self.export_of(0..self.size())
    }

    pub(crate) fn export_of(&self, entries: Range<u64>) -> Vec<u8> {
        self.export_as(&Asked {
            entries,
            size: self.size(),
            without: None,
            made_at: MADE_AT,
            signer: signer(),
        })
    }

    /// Without these.
    pub(crate) fn selection(&self, entries: Range<u64>, without: fn(u64) -> bool) -> Vec<u8> {
        self.export_as(&Asked {
            entries,
            size: self.size(),
            without: Some(without),
            made_at: MADE_AT,
            signer: signer(),
        })
    }

    pub(crate) fn export_as(&self, asked: &Asked) -> Vec<u8> {
        let header = Header {
            lanyard_audit: VERSION,
            log: LOG.to_owned(),
            origin: origin(),
            made_at: asked.made_at.to_owned(),
            selection: asked.without.is_some(),
            from: asked.entries.start,
            to: asked.entries.end,
            checkpoint: self.checkpoint(asked.size).sign(&asked.signer).unwrap(),
            keys: vec![asked.signer.vkey().to_text()],
        };
        let all = self.leaves();
        let of = |range: Range<u64>| {
            &all[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
        };
        let hash_of = |subtree: Subtree| tree::full(of(subtree.leaves()));
        let (mut writer, mut bytes) = Writer::begin(&header);
        for plan in blocks(asked.entries.clone(), asked.size).unwrap() {
            let is_left_out = |index: &u64| asked.without.is_some_and(|without| without(*index));
            let chosen = plan.entries.filter(|index| !is_left_out(index));
            let entries: Vec<_> = chosen.map(|index| self.entry(index)).collect();
            if asked.without.is_some() && entries.is_empty() {
                continue;
            }
            let path = plan.proof.prove(hash_of).unwrap();
            bytes.extend(writer.block(&Block {
                number: plan.number,
                leaves: of(plan.leaves),
                path: &path,
                entries: &entries,
            }));
        }
        bytes.extend(writer.end(&asked.signer).unwrap());
        bytes
    }

    fn entry(&self, index: u64) -> Entry {
        let (salt, value) = erasable(index);
        let disclosed = has_erasable(index).then(|| Disclosure {
            field: "login".to_owned(),
            salt,
            value,
        });
        Entry {
            index,
            line: self.lines[usize::try_from(index).unwrap()].clone(),
            disclosed: disclosed.into_iter().collect(),
        }
    }
}

/// Each fifth entry has a value that may be erased.
pub(crate) fn has_erasable(index: u64) -> bool {
    index % 5 == 1
}

fn erasable(index: u64) -> ([u8; 32], String) {
    let salt = digest(&SHA256, &index.to_be_bytes());
    let salt = salt.as_ref().try_into().unwrap();
    (salt, format!("person {index} of Zürich"))
}

/// What stands in a line for a value.
pub(crate) fn salted(salt: &[u8], value: &str) -> String {
    STANDARD.encode(digest(&SHA256, &[salt, value.as_bytes()].concat()))
}

fn line(index: u64) -> String {
    let (salt, value) = erasable(index);
    let detail = if has_erasable(index) {
        format!(r#"{{"login":{{"salted":"{}"}}}}"#, salted(&salt, &value))
    } else {
        format!(r#"{{"session":"s{index}","amr":["pwd"]}}"#)
    };
    let mac = hex::encode(digest(&SHA256, format!("mac {index}").as_bytes()));
    let id = format!("7a1d0000-0000-4000-8000-{index:012x}");
    let (minute, second) = (index / 60 % 60, index % 60);
    let at = format!("2026-03-02T14:{minute:02}:{second:02}");
    let who = format!(r#""account":"{id}","subject":null,"actor":"{id}""#);
    let when = format!(r#""occurred_at":"{at}.000001Z","recorded_at":"{at}.000002Z""#);
    let what = r#""type":"session.signed_in","class":"member""#;
    let begins = format!(r#"{{"v":1,"log":"{LOG}","index":{index},"id":"{id}""#);
    format!(r#"{begins},{what},{who},{when},"trace":null,"mac":"{mac}","detail":{detail}}}"#)
}
