//! Whether an export is whole, and the first thing that is wrong with it if not.

use std::io::{self, BufRead, Seek};

use super::anchor::{Anchor, Comparison};
use super::walk::Walk;
use super::{Finding, Kind};
use crate::audit::format::{TreeHash, Vkey};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything in it is what the log holds.
    Whole(Box<Report>),
    /// Something is not; this is the first.
    Broken(Finding),
}

/// What a good export shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The tenant's id.
    pub log: String,
    /// The log's name in its checkpoints.
    pub origin: String,
    /// When the export was made, as it says and is signed.
    pub made_at: String,
    /// Whether entries were left out on purpose.
    pub selection: bool,
    /// The first index of the range.
    pub from: u64,
    /// The index after its last.
    pub to: u64,
    /// How many entries it has.
    pub entries: u64,
    /// How many of them are shown with salted values.
    pub disclosed: u64,
    /// How many entries the log had.
    pub size: u64,
    /// The root over them.
    pub root: TreeHash,
    /// The key that signed the checkpoint.
    pub key: Vkey,
    /// What an anchor added.
    pub compared: Option<Compared>,
}

/// How much of an anchor could be held against an export, all of which agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Checkpoints whose root is that of the exported log at their size.
    pub checkpoints: u64,
    /// Entries whose hashes another export lists as well.
    pub entries: u64,
    /// Checkpoints of sizes that the export says nothing about.
    pub beyond: u64,
}

/// Why reading ended early.
#[derive(Debug)]
pub(super) enum Stop {
    Found(Finding),
    Failed(io::Error),
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Found(finding)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Checks an export by the public keys that the auditor trusts, and against an anchor if there is
/// one. `progress` is told, a block at a time, how many entries were read.
///
/// # Errors
/// What reading fails with. That an export is broken is a verdict, not an error.
pub fn verify<R: BufRead, A: BufRead + Seek>(
    source: R,
    keys: &[Vkey],
    anchor: Option<A>,
    mut progress: impl FnMut(u64),
) -> io::Result<Verdict> {
    let report = check(source, keys, anchor, &mut progress);
    match report {
        Ok(report) => Ok(Verdict::Whole(Box::new(report))),
        Err(Stop::Found(finding)) => Ok(Verdict::Broken(finding)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn check<R: BufRead, A: BufRead + Seek>(
    source: R,
    keys: &[Vkey],
    anchor: Option<A>,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, Stop> {
    let mut walk = Walk::begin(source, keys)?;
    let origin = walk.origin().to_owned();
    let opened = anchor.map(|source| Anchor::open(source, &origin, keys));
    let mut comparison = Comparison::new(opened.transpose()?);
    while let Some(proven) = walk.next_block()? {
        comparison.block(&proven)?;
        walk.entries(&proven)?;
        progress(walk.count());
    }
    let mut report = walk.end()?;
    report.compared = comparison.end(&report)?;
    Ok(report)
}

/// An export that serves as anchor has to be whole itself.
pub(super) fn check_other<R: BufRead>(source: R, keys: &[Vkey]) -> Result<Report, Stop> {
    let report = check(source, keys, None::<io::Cursor<&[u8]>>, &mut |_| ());
    report.map_err(|stop| match stop {
        Stop::Found(finding) => {
            let words = finding.words();
            Finding::whole(
                Kind::Anchor,
                format!("it is an export that fails itself. {words}"),
            )
            .into()
        }
        Stop::Failed(error) => Stop::Failed(error),
    })
}
