//! Reading an export from its first line to its last, and believing nothing on the way.

use std::io::BufRead;
use std::ops::Range;

use super::disclosed::is_disclosed;
use super::header::{contradiction, header_of, unsigned};
use super::lines::{Lines, What};
use super::verify::{Report, Stop};
use super::{
    BLOCK, BlockLine, EndLine, Finding, Header, Kind, SignatureLine, beginning, leaves_of, numbers,
    signed_text,
};
use crate::audit::format::note::{Note, Vkey};
use crate::audit::format::proof::{before, root_by_inclusion};
use crate::audit::format::{Checkpoint, Frontier, TreeHash};

/// Lines that are looked at to tell in what way an entry is wrong.
const LOOK_AHEAD: u64 = 2 * BLOCK;

/// A block whose hashes lead to the signed root.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) number: u64,
    /// The log's leaves in it.
    pub(super) leaves: Vec<TreeHash>,
    /// The log before it.
    pub(super) before: Frontier,
    /// The entries in it that belong to the export's range.
    entries: Range<u64>,
}

impl Proven {
    pub(super) fn start(&self) -> u64 {
        self.number * BLOCK
    }

    /// The index after its last leaf.
    pub(super) fn end(&self) -> u64 {
        self.start() + self.leaves.len() as u64
    }

    fn leaf(&self, index: u64) -> Option<&TreeHash> {
        let at = index.checked_sub(self.start())?;
        self.leaves.get(usize::try_from(at).ok()?)
    }

    /// The leaves of this export from `index` on.
    fn rest(&self, index: u64) -> &[TreeHash] {
        let at = |index: u64| usize::try_from(index - self.start()).ok();
        let range = at(index).zip(at(self.entries.end));
        range
            .and_then(|(from, to)| self.leaves.get(from..to))
            .unwrap_or_default()
    }
}

pub(super) struct Walk<'a, R> {
    lines: Lines<R>,
    header: Header,
    checkpoint: Checkpoint,
    key: Vkey,
    keys: &'a [Vkey],
    beginning: String,
    /// Blocks that are to come.
    numbers: Range<u64>,
    entries: u64,
    disclosed: u64,
}

impl<'a, R: BufRead> Walk<'a, R> {
    /// Reads the first line, and goes on to the second.
    pub(super) fn begin(source: R, keys: &'a [Vkey]) -> Result<Self, Stop> {
        let mut lines = Lines::begin(source)?;
        let header = header_of(&lines)?;
        let (checkpoint, key) = Checkpoint::open(&header.checkpoint, keys).map_err(unsigned)?;
        if let Some(why) = contradiction(&header, &checkpoint) {
            return Err(Finding::whole(Kind::Header, why).into());
        }
        lines.advance()?;
        let numbers = numbers(&(header.from..header.to));
        Ok(Self {
            lines,
            beginning: beginning(&header.log),
            header,
            checkpoint,
            key: key.clone(),
            keys,
            numbers,
            entries: 0,
            disclosed: 0,
        })
    }

    pub(super) fn origin(&self) -> &str {
        &self.header.origin
    }

    /// How many entries were read.
    pub(super) const fn count(&self) -> u64 {
        self.entries
    }

    fn exported(&self, leaves: &Range<u64>) -> Range<u64> {
        leaves.start.max(self.header.from)..leaves.end.min(self.header.to)
    }

    /// The next block's hashes, once they are proven; none after the last.
    pub(super) fn next_block(&mut self) -> Result<Option<Proven>, Stop> {
        if self.numbers.is_empty() {
            return Ok(None);
        }
        let expected = self.numbers.start;
        let entries = self.exported(&leaves_of(expected, self.checkpoint.size));
        match self.lines.what() {
            What::Block => {}
            What::End if self.header.selection => return Ok(None),
            other => return Err(not_expected(other, entries.start).into()),
        }
        let wrong = |detail| Finding::among(Kind::Block, entries.clone(), detail);
        let line: BlockLine = serde_json::from_slice(self.lines.bytes())
            .map_err(|_| wrong("their line can't be read"))?;
        if line.block < expected {
            return Err(Finding::at(Kind::Inserted, entries.start).into());
        }
        let may_skip = self.header.selection && self.numbers.contains(&line.block);
        if line.block > expected && !may_skip {
            return Err(Finding::at(Kind::Missing, entries.start).into());
        }
        let proven = self.proven(&line)?;
        self.numbers.start = line.block + 1;
        self.lines.advance()?;
        Ok(Some(proven))
    }

    fn proven(&self, line: &BlockLine) -> Result<Proven, Finding> {
        let number = line.block;
        let range = leaves_of(number, self.checkpoint.size);
        let entries = self.exported(&range);
        let proven = || {
            let leaves = TreeHash::list_from_base64(&line.leaves)?;
            let path = TreeHash::list_from_base64(&line.path)?;
            if leaves.len() as u64 != range.end - range.start {
                return None;
            }
            let mut block = Frontier::new();
            for leaf in &leaves {
                block.append(*leaf);
            }
            let count = self.checkpoint.size.div_ceil(BLOCK);
            let root = root_by_inclusion(block.root(), number, count, &path)?;
            let before = Frontier::from_parts(range.start, before(number, count, &path))?;
            (root == self.checkpoint.root).then_some((leaves, before))
        };
        let Some((leaves, before)) = proven() else {
            return Err(Finding::among(Kind::Block, entries, ""));
        };
        Ok(Proven {
            number,
            leaves,
            before,
            entries,
        })
    }

    /// The entries of a block, up to the line after the last.
    pub(super) fn entries(&mut self, block: &Proven) -> Result<(), Stop> {
        if self.header.selection {
            return self.selected(block);
        }
        for index in block.entries.clone() {
            if self.lines.what() == What::Disclosed {
                return Err(Finding::at(Kind::Disclosure, index).into());
            }
            if self.lines.what() != What::Entry || !self.is_leaf(block, index) {
                return Err(self.explain(block, index)?.into());
            }
            if self.claimed() != Some(index) {
                return Err(Finding::at(Kind::Mislabeled, index).into());
            }
            self.accept(index)?;
        }
        Ok(())
    }

    /// The entries that a selection shows: each says which one it is.
    fn selected(&mut self, block: &Proven) -> Result<(), Stop> {
        let mut next = block.entries.start;
        while self.lines.what() == What::Entry {
            let claimed = self.claimed().filter(|index| block.entries.contains(index));
            let Some(index) = claimed else {
                return Err(Finding::at(Kind::Altered, next).into());
            };
            if index < next {
                return Err(Finding::at(Kind::Reordered, index).into());
            }
            if !self.is_leaf(block, index) {
                return Err(Finding::at(Kind::Altered, index).into());
            }
            self.accept(index)?;
            next = index + 1;
        }
        match self.lines.what() {
            What::Disclosed => Err(Finding::at(Kind::Disclosure, next).into()),
            What::Nothing => Err(Finding::at(Kind::Truncated, next).into()),
            _ => Ok(()),
        }
    }

    fn is_leaf(&self, block: &Proven, index: u64) -> bool {
        block.leaf(index) == Some(&TreeHash::leaf(self.lines.bytes()))
    }

    /// Which entry of this log the line at hand says it is.
    fn claimed(&self) -> Option<u64> {
        let rest = self.lines.bytes().strip_prefix(self.beginning.as_bytes())?;
        let digits = rest.split(|&byte| byte == b',').next()?;
        let index: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        // As it is written and no other way: no sign, no leading zero.
        (index.to_string().as_bytes() == digits).then_some(index)
    }

    /// Goes past an entry, and past what is disclosed of it.
    fn accept(&mut self, index: u64) -> Result<(), Stop> {
        self.entries += 1;
        self.lines.advance()?;
        if self.lines.what() == What::Disclosed {
            let (entry, line) = (self.lines.previous(), self.lines.bytes());
            if !is_disclosed(index, entry, line) {
                return Err(Finding::at(Kind::Disclosure, index).into());
            }
            self.disclosed += 1;
            self.lines.advance()?;
        }
        Ok(())
    }

    /// In what way the line where entry `index` should be is another.
    fn explain(&mut self, block: &Proven, index: u64) -> Result<Finding, Stop> {
        let mut found = Vec::new();
        while (found.len() as u64) < LOOK_AHEAD {
            match self.lines.what() {
                What::Entry => found.push(TreeHash::leaf(self.lines.bytes())),
                What::Disclosed => {}
                _ => break,
            }
            self.lines.advance()?;
        }
        let (Some((first, more)), Some((expected, later))) =
            (found.split_first(), block.rest(index).split_first())
        else {
            let is_cut = self.lines.what() == What::Nothing;
            let kind = if is_cut {
                Kind::Truncated
            } else {
                Kind::Missing
            };
            return Ok(Finding::at(kind, index));
        };
        let is_later = later.contains(first);
        let kind = match more.contains(expected) {
            true if is_later => Kind::Reordered,
            true => Kind::Inserted,
            false if is_later => Kind::Missing,
            false => Kind::Altered,
        };
        Ok(Finding::at(kind, index))
    }

    /// The last two lines, and that nothing follows.
    pub(super) fn end(mut self) -> Result<Report, Stop> {
        match self.lines.what() {
            What::End => {}
            What::Signature => return Err(Finding::whole(Kind::End, "it is missing").into()),
            other => return Err(not_expected(other, self.header.to).into()),
        }
        let end: Option<EndLine> = serde_json::from_slice(self.lines.bytes()).ok();
        let counted = end.map(|line| line.end);
        if counted != Some(self.entries) {
            let detail = format!("it has {} entries", self.entries);
            return Err(Finding::whole(Kind::End, detail).into());
        }
        self.lines.advance()?;
        match self.lines.what() {
            What::Signature => {}
            What::Nothing => return Err(Finding::at(Kind::Truncated, self.header.to).into()),
            _ => return Err(Finding::whole(Kind::End, "a signature should follow").into()),
        }
        if !self.is_signed() {
            return Err(Finding::whole(Kind::Signature, "").into());
        }
        self.lines.advance()?;
        if self.lines.what() != What::Nothing || !self.lines.bytes().is_empty() {
            return Err(Finding::whole(Kind::End, "something follows the signature").into());
        }
        Ok(self.report())
    }

    fn is_signed(&self) -> bool {
        let text = signed_text(&self.header.origin, self.lines.digest_before());
        let signed = || {
            let line: SignatureLine = serde_json::from_slice(self.lines.bytes()).ok()?;
            let note = Note::parse(&line.signature).ok()?;
            let (said, _) = note.open(self.keys).ok()?;
            Some(said == text)
        };
        signed().unwrap_or(false)
    }

    fn report(self) -> Report {
        let Header {
            log,
            origin,
            made_at,
            selection,
            from,
            to,
            ..
        } = self.header;
        Report {
            log,
            origin,
            made_at,
            selection,
            from,
            to,
            entries: self.entries,
            disclosed: self.disclosed,
            size: self.checkpoint.size,
            root: self.checkpoint.root,
            key: self.key,
            compared: None,
        }
    }
}

/// A line of another kind, or none, where entry `index` or its block should be.
fn not_expected(what: What, index: u64) -> Finding {
    let kind = match what {
        What::Nothing => Kind::Truncated,
        What::Disclosed => Kind::Disclosure,
        What::Entry | What::Block => Kind::Inserted,
        What::End | What::Signature => Kind::Missing,
    };
    Finding::at(kind, index)
}
