//! What somebody kept of the log elsewhere, held against an export: the same log, told twice, must
//! be the same.
//!
//! An anchor file has a line for each checkpoint, `{"made_at":…,"note":…}`, appended as it is made;
//! sizes never fall. A last line without its line feed is one that was being written, and none.
//! Another export of the log serves as well.

use std::io::{BufRead, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use super::header::is_instant;
use super::lines::{Lines, What};
use super::verify::{Compared, Report, Stop, check_other};
use super::walk::Proven;
use super::{BlockLine, Finding, Header, Kind};
use crate::audit::format::{Checkpoint, Frontier, TreeHash, Vkey};

/// How an export begins, and no line of an anchor file does.
const EXPORT: &[u8] = b"{\"lanyard_audit\":";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnchorLine {
    made_at: String,
    note: String,
}

/// A line of an anchor file, with its line feed: a checkpoint's note, and when it was made (RFC
/// 3339, UTC, microseconds, `Z`).
pub fn anchored(made_at: &str, note: &str) -> String {
    let line = AnchorLine {
        made_at: made_at.to_owned(),
        note: note.to_owned(),
    };
    serde_json::to_string(&line).expect("our lines are JSON") + "\n"
}

/// A checkpoint that was kept.
#[derive(Debug)]
struct Kept {
    made_at: String,
    size: u64,
    root: TreeHash,
}

/// What an export is held against, read as far as it is needed.
pub(super) struct Anchor<'a, R> {
    lines: Lines<R>,
    origin: String,
    keys: &'a [Vkey],
    number: u64,
    /// The next checkpoint.
    next: Option<Kept>,
    /// Whether the lines are another export's.
    is_export: bool,
}

impl<'a, R: BufRead + Seek> Anchor<'a, R> {
    pub(super) fn open(mut source: R, origin: &str, keys: &'a [Vkey]) -> Result<Self, Stop> {
        let is_export = source.fill_buf()?.starts_with(EXPORT);
        if is_export {
            check_other(&mut source, keys)?;
            source.seek(SeekFrom::Start(0))?;
        }
        let mut anchor = Self {
            lines: Lines::begin(source)?,
            origin: origin.to_owned(),
            keys,
            number: 0,
            next: None,
            is_export,
        };
        anchor.next = anchor.read()?;
        Ok(anchor)
    }
}

impl<R: BufRead> Anchor<'_, R> {
    /// The next checkpoint; of another export, its one.
    fn read(&mut self) -> Result<Option<Kept>, Stop> {
        let is_first = self.number == 0;
        if self.lines.what() == What::Nothing || (self.is_export && !is_first) {
            return Ok(None);
        }
        self.number += 1;
        let kept = self.kept().map_err(|why| {
            let detail = format!("its line {}: {why}", self.number);
            Finding::whole(Kind::Anchor, detail)
        })?;
        self.lines.advance()?;
        Ok(Some(kept))
    }

    fn kept(&self) -> Result<Kept, String> {
        let line = self.lines.bytes();
        let parsed = if self.is_export {
            serde_json::from_slice::<Header>(line).map(|header| AnchorLine {
                made_at: header.made_at,
                note: header.checkpoint,
            })
        } else {
            serde_json::from_slice(line)
        };
        let AnchorLine { made_at, note } = parsed.map_err(|_| "it can't be read")?;
        let (checkpoint, _) = Checkpoint::open(&note, self.keys).map_err(|why| why.to_string())?;
        if checkpoint.origin != self.origin {
            return Err("it is of another log".to_owned());
        }
        if !is_instant(&made_at) {
            return Err("its instant is none".to_owned());
        }
        if self
            .next
            .as_ref()
            .is_some_and(|before| checkpoint.size < before.size)
        {
            return Err("the log has grown smaller".to_owned());
        }
        Ok(Kept {
            made_at,
            size: checkpoint.size,
            root: checkpoint.root,
        })
    }

    /// The next checkpoint, if it is of a size up to `most`.
    fn take(&mut self, most: u64) -> Result<Option<Kept>, Stop> {
        if self.next.as_ref().is_none_or(|kept| kept.size > most) {
            return Ok(None);
        }
        let following = self.read()?;
        Ok(std::mem::replace(&mut self.next, following))
    }

    /// The hashes that another export lists for a block.
    fn leaves_of(&mut self, number: u64) -> Result<Option<Vec<TreeHash>>, Stop> {
        while self.is_export && self.lines.what() != What::Nothing {
            let line = match self.lines.what() {
                What::Block => serde_json::from_slice::<BlockLine>(self.lines.bytes()).ok(),
                _ => None,
            };
            match line {
                Some(line) if line.block > number => break,
                Some(line) if line.block == number => {
                    return Ok(TreeHash::list_from_base64(&line.leaves));
                }
                _ => self.lines.advance()?,
            }
        }
        Ok(None)
    }
}

/// An export's log against an anchor, a proven block at a time.
pub(super) struct Comparison<'a, R> {
    anchor: Option<Anchor<'a, R>>,
    compared: Compared,
    /// The size up to which both are known to be the same.
    agreed: u64,
}

impl<'a, R: BufRead> Comparison<'a, R> {
    pub(super) fn new(anchor: Option<Anchor<'a, R>>) -> Self {
        Self {
            anchor,
            compared: Compared::default(),
            agreed: 0,
        }
    }

    pub(super) fn block(&mut self, block: &Proven) -> Result<(), Stop> {
        let Some(anchor) = &mut self.anchor else {
            return Ok(());
        };
        if let Some(other) = anchor.leaves_of(block.number)? {
            let mut pairs = (block.start()..).zip(block.leaves.iter().zip(&other));
            if let Some((index, _)) = pairs.find(|(_, (ours, theirs))| ours != theirs) {
                return Err(Finding::among(Kind::Forked, index..index + 1, "").into());
            }
            self.compared.entries += block.leaves.len().min(other.len()) as u64;
        }
        while let Some(kept) = anchor.take(block.end())? {
            match root_at(block, kept.size) {
                Some(root) if root == kept.root => {
                    self.agreed = kept.size;
                    self.compared.checkpoints += 1;
                }
                Some(_) => return Err(forked(self.agreed, &kept).into()),
                None => self.compared.beyond += 1,
            }
        }
        Ok(())
    }

    /// What is left: checkpoints of the exported log's whole size, and larger ones.
    pub(super) fn end(mut self, report: &Report) -> Result<Option<Compared>, Stop> {
        let Some(anchor) = &mut self.anchor else {
            return Ok(None);
        };
        while let Some(kept) = anchor.take(u64::MAX)? {
            if kept.size > report.size && kept.made_at <= report.made_at {
                let detail = format!("{} entries were anchored at {}", kept.size, kept.made_at);
                return Err(Finding::at(Kind::Truncated, report.size)
                    .with(detail)
                    .into());
            }
            let root = match kept.size {
                0 => Some(TreeHash::empty()),
                size => (size == report.size).then_some(report.root),
            };
            match root {
                Some(root) if root == kept.root => self.compared.checkpoints += 1,
                Some(_) => return Err(forked(self.agreed, &kept).into()),
                None => self.compared.beyond += 1,
            }
        }
        if self.compared.checkpoints == 0 && self.compared.entries == 0 {
            let detail = "nothing in it is of a size that this export shows";
            return Err(Finding::whole(Kind::Anchor, detail).into());
        }
        Ok(Some(self.compared))
    }
}

/// The root of the log when it had `size` entries, if this block tells.
fn root_at(block: &Proven, size: u64) -> Option<TreeHash> {
    let within = usize::try_from(size.checked_sub(block.start())?).ok()?;
    let mut tree: Frontier = block.before.clone();
    for leaf in block.leaves.get(..within)? {
        tree.append(*leaf);
    }
    Some(tree.root())
}

fn forked(agreed: u64, kept: &Kept) -> Finding {
    let first = agreed.min(kept.size.saturating_sub(1));
    let detail = format!("another checkpoint of {} entries was anchored", kept.size);
    Finding::among(Kind::Forked, first..kept.size, &detail)
}
