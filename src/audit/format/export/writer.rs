//! Writing an export, a block at a time.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, SHA256};
use serde::Serialize;

use super::{
    BlockLine, Disclosed, DisclosedLine, EndLine, Header, SignatureLine, TreeHash, signed_text,
};
use crate::audit::format::note::{NoteError, NoteSigner};

/// One block, as a [`BlockPlan`](super::BlockPlan) asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Its number.
    pub number: u64,
    /// The hashes of all its leaves.
    pub leaves: &'a [TreeHash],
    /// The proof that it is in the log.
    pub path: &'a [TreeHash],
    /// Its entries that are exported, in their order.
    pub entries: &'a [Entry],
}

/// An entry to be exported.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its index in the log.
    pub index: u64,
    /// The line that was hashed.
    pub line: String,
    /// What its salted values were, where that is to be shown.
    pub disclosed: Vec<Disclosure>,
}

/// A value that the line commits to by a salted digest.
#[derive(Clone)]
pub struct Disclosure {
    /// The member of the line's `detail`.
    pub field: String,
    /// What was hashed before the value.
    pub salt: [u8; 32],
    /// The value.
    pub value: String,
}

impl std::fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disclosure")
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}

/// An export in the making: it gives bytes, in the order in which they are to be sent, and keeps
/// none of them.
pub struct Writer {
    origin: String,
    digest: Context,
    entries: u64,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("origin", &self.origin)
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// The first line.
    pub fn begin(header: &Header) -> (Self, Vec<u8>) {
        let mut writer = Self {
            origin: header.origin.clone(),
            digest: Context::new(&SHA256),
            entries: 0,
        };
        let mut bytes = Vec::new();
        push(&mut bytes, header);
        writer.digest.update(&bytes);
        (writer, bytes)
    }

    /// The next block with its entries. It is written as it is given: whoever reads the export
    /// checks it.
    pub fn block(&mut self, block: &Block<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        push(
            &mut bytes,
            &BlockLine {
                block: block.number,
                leaves: TreeHash::list_to_base64(block.leaves),
                path: TreeHash::list_to_base64(block.path),
            },
        );
        for entry in block.entries {
            bytes.extend_from_slice(entry.line.as_bytes());
            bytes.push(b'\n');
            if !entry.disclosed.is_empty() {
                push(&mut bytes, &disclosed(entry));
            }
        }
        self.entries += block.entries.len() as u64;
        self.digest.update(&bytes);
        bytes
    }

    /// The last two lines.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] for an origin that is no line of text.
    pub fn end(mut self, signer: &NoteSigner) -> Result<Vec<u8>, NoteError> {
        let mut bytes = Vec::new();
        push(&mut bytes, &EndLine { end: self.entries });
        self.digest.update(&bytes);
        let digest = TreeHash::try_from(self.digest.finish().as_ref()).expect("32 bytes");
        let signature = signer.sign(&signed_text(&self.origin, digest))?;
        push(&mut bytes, &SignatureLine { signature });
        Ok(bytes)
    }
}

fn disclosed(entry: &Entry) -> DisclosedLine {
    let shown = |one: &Disclosure| {
        let salt = STANDARD.encode(one.salt);
        let value = one.value.clone();
        (one.field.clone(), Disclosed { salt, value })
    };
    DisclosedLine {
        disclosed: entry.index,
        fields: entry
            .disclosed
            .iter()
            .map(shown)
            .collect::<BTreeMap<_, _>>(),
    }
}

fn push(bytes: &mut Vec<u8>, line: &impl Serialize) {
    serde_json::to_writer(&mut *bytes, line).expect("our lines are JSON");
    bytes.push(b'\n');
}
