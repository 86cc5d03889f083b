//! What a restored database is known by: its epoch and a count that only grows, of which a copy
//! lies with the master key. A database that is behind the copy has forgotten logouts.
//!
//! The database goes first, the copy second: the copy is never ahead of what was committed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::folder::{FolderError, read_private, write_private};
use super::store;
use crate::audit::{self, EventType};
use crate::db::{Authority, Db, Identity, Job, StoreError};
use crate::env::Env;
use crate::secret::Keys;

const FILE: &str = "epoch";

/// How far a database is. Compared as written: the epoch first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// How often the database was restored, plus one.
    pub epoch: i32,
    /// How often somebody looked within the epoch.
    pub checkpoint: i64,
}

/// The mark can't be kept, or the database is behind it.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// The database failed.
    #[error("the epoch can't be read")]
    Store(#[from] StoreError),
    /// The operator's: the copy can't be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The operator's: the copy can't be written.
    #[error("{path} can't be written")]
    Unwritable {
        /// Where the copy is.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The operator's: it was restored from a backup, or lost its last commits.
    #[error(
        "the database is at epoch {}, checkpoint {}, behind epoch {}, checkpoint {} of the keys \
         folder: it was restored, or lost what was committed", at.epoch, at.checkpoint,
        known.epoch, known.checkpoint
    )]
    Behind {
        /// Where the database is.
        at: Mark,
        /// Where it was.
        known: Mark,
    },
}

/// The copy in the keys folder; `None` before the first start.
pub fn known(folder: &Path) -> Result<Option<Mark>, EpochError> {
    let path = folder.join(FILE);
    if !fs::exists(&path).unwrap_or(true) {
        return Ok(None);
    }
    let text = read_private(&path)?;
    let parsed = text.trim().split_once(' ').and_then(|(epoch, checkpoint)| {
        Some(Mark {
            epoch: epoch.parse().ok()?,
            checkpoint: checkpoint.parse().ok()?,
        })
    });
    let path = path.display().to_string();
    parsed.map(Some).ok_or_else(|| {
        let source = io::Error::new(io::ErrorKind::InvalidData, "not two numbers");
        FolderError::Unreadable { path, source }.into()
    })
}

/// Writes the copy.
pub fn remember(folder: &Path, mark: Mark) -> Result<(), EpochError> {
    let path = folder.join(FILE);
    let text = format!("{} {}\n", mark.epoch, mark.checkpoint);
    write_private(&path, text.as_bytes()).map_err(|source| EpochError::Unwritable { path, source })
}

/// Where the database is.
pub async fn of(db: &Db) -> Result<Mark, StoreError> {
    let authority = Authority::<Identity>::job(Job::OpenKeys).read_only();
    db.run(authority, async |tx| store::mark(tx).await).await
}

/// Refuses a database that is behind the copy; otherwise counts, in both.
pub async fn check_in(db: &Db, folder: &Path) -> Result<Mark, EpochError> {
    let (at, known) = (of(db).await?, known(folder)?.unwrap_or(Mark::FIRST));
    if at < known {
        return Err(EpochError::Behind { at, known });
    }
    count(db, folder, at).await
}

/// Counts on from `last`, in the database and then in the copy.
///
/// # Errors
/// [`EpochError::Behind`] if the database is behind `last` or in another epoch: it was restored
/// under our feet.
pub async fn count(db: &Db, folder: &Path, last: Mark) -> Result<Mark, EpochError> {
    let authority = Authority::<Identity>::job(Job::OpenKeys);
    let counted = db.run(authority, async |tx| store::count(tx, last).await);
    let Some(checkpoint) = counted.await? else {
        let at = of(db).await?;
        return Err(EpochError::Behind { at, known: last });
    };
    let mark = Mark { checkpoint, ..last };
    remember(folder, mark)?;
    Ok(mark)
}

/// Begins the next epoch, on the record: what was digested before it matches nothing any more.
pub(crate) async fn begin(
    db: &Db,
    env: &Env,
    keys: &Keys,
    folder: &Path,
) -> Result<Mark, EpochError> {
    let (at, known) = (of(db).await?, known(folder)?.unwrap_or(Mark::FIRST));
    let mark = Mark {
        epoch: at.epoch.max(known.epoch) + 1,
        checkpoint: 0,
    };
    let authority = Authority::<Identity>::job(Job::OpenKeys);
    let begun = db.run(authority, async |tx| {
        store::begin_epoch(tx, mark.epoch, env.now()).await?;
        let detail = json!({ "epoch": mark.epoch });
        audit::append(tx, env, keys, EventType::EpochBegun, detail).await
    });
    begun.await?;
    remember(folder, mark)?;
    Ok(mark)
}

impl Mark {
    const FIRST: Self = Self {
        epoch: 1,
        checkpoint: 0,
    };

    /// The one after it in the same epoch: what a copy must say that shall refuse this one.
    #[must_use]
    pub const fn after(self) -> Self {
        Self {
            checkpoint: self.checkpoint + 1,
            ..self
        }
    }
}
