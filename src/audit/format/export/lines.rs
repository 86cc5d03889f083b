//! An export as lines: which one is at hand, and what was read before it.

use std::io::{self, BufRead, Read as _};

use ring::digest::{Context, SHA256};

use super::{BLOCK_LINE, DISCLOSED_LINE, END_LINE, SIGNATURE_LINE, TreeHash};

/// Bytes of a line with its line feed, at most: what is longer is no line, and the end of the file.
const LONGEST: u64 = 1 << 20;

/// What a line is, by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Block,
    Entry,
    Disclosed,
    End,
    Signature,
    /// There is no line: what follows the last line feed is none.
    Nothing,
}

/// Reads a line at a time, and digests what was read.
pub(super) struct Lines<R> {
    source: R,
    line: Vec<u8>,
    previous: Vec<u8>,
    digest: Context,
}

impl<R: BufRead> Lines<R> {
    /// At the first line.
    pub(super) fn begin(source: R) -> io::Result<Self> {
        let mut lines = Self {
            source,
            line: Vec::new(),
            previous: Vec::new(),
            digest: Context::new(&SHA256),
        };
        lines.advance()?;
        Ok(lines)
    }

    /// Goes on to the next line.
    pub(super) fn advance(&mut self) -> io::Result<()> {
        self.digest.update(&self.line);
        std::mem::swap(&mut self.line, &mut self.previous);
        self.line.clear();
        let mut looked_at = (&mut self.source).take(LONGEST);
        looked_at.read_until(b'\n', &mut self.line)?;
        Ok(())
    }

    pub(super) fn what(&self) -> What {
        let begins = |with: &[u8]| self.line.starts_with(with);
        match () {
            () if !self.line.ends_with(b"\n") => What::Nothing,
            () if begins(BLOCK_LINE) => What::Block,
            () if begins(DISCLOSED_LINE) => What::Disclosed,
            () if begins(END_LINE) => What::End,
            () if begins(SIGNATURE_LINE) => What::Signature,
            () => What::Entry,
        }
    }

    /// The line at hand, without its line feed.
    pub(super) fn bytes(&self) -> &[u8] {
        self.line.strip_suffix(b"\n").unwrap_or(&self.line)
    }

    /// The one before it.
    pub(super) fn previous(&self) -> &[u8] {
        self.previous.strip_suffix(b"\n").unwrap_or(&self.previous)
    }

    /// Over every byte before the line at hand.
    pub(super) fn digest_before(&self) -> TreeHash {
        let digest = self.digest.clone().finish();
        TreeHash::try_from(digest.as_ref()).expect("SHA-256 gives 32 bytes")
    }
}
