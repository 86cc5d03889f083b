//! The anchor: a folder outside of the database, with one file of checkpoints for each log.
//!
//! A file only grows, a line for each checkpoint, in the form that `lanyard audit verify --anchor`
//! reads; the sizes in it only rise.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use time::OffsetDateTime;

use super::instant;
use crate::audit::format::export::anchored;
use crate::ids::TenantId;

/// No line of ours is longer.
const LONGEST_LINE: u64 = 4096;

/// The operator's: the anchor does not take a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// It is out of reach.
    #[error("the anchor {path} can't be written")]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It knows more of a log than the database has, or as much of another one: the database was
    /// restored, or changed.
    #[error("the anchor {path} knows another log, of {known} entries: the database has {size}")]
    Other {
        /// Where.
        path: PathBuf,
        /// So many entries the last checkpoint there is of.
        known: i64,
        /// So many the one that was to be kept.
        size: i64,
    },
}

/// A checkpoint that is to be kept outside of the database.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Unanchored {
    pub(super) tenant_id: TenantId,
    pub(super) size: i64,
    pub(super) note: String,
    pub(super) made_at: OffsetDateTime,
}

/// Finds out whether the folder is there, and makes it if it can.
///
/// # Errors
/// [`AnchorError`].
pub(super) fn reach(folder: &Path) -> Result<(), AnchorError> {
    let mut builder = fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(|source| unwritable(folder, source))
}

/// What came of keeping some: one that is not taken keeps no other log's away.
#[derive(Debug)]
pub(super) struct Keeping {
    /// Those that are there, and survive a power cut.
    pub(super) kept: Vec<Unanchored>,
    /// Why not the first of the others.
    pub(super) failed: Option<AnchorError>,
}

/// Keeps them.
pub(super) fn keep(folder: &Path, checkpoints: Vec<Unanchored>) -> Keeping {
    let (mut kept, mut failed) = (Vec::new(), None);
    let mut is_new = false;
    for checkpoint in checkpoints {
        let path = folder.join(format!("{}.ndjson", checkpoint.tenant_id));
        is_new |= !path.exists();
        match append(&path, &checkpoint) {
            Ok(()) => kept.push(checkpoint),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    let synced = if is_new {
        File::open(folder).and_then(|folder| folder.sync_all())
    } else {
        Ok(())
    };
    if let Err(source) = synced {
        kept.clear();
        failed = failed.or(Some(unwritable(folder, source)));
    }
    Keeping { kept, failed }
}

/// Under a lock of the file's: another server may be at the same log.
fn append(path: &Path, checkpoint: &Unanchored) -> Result<(), AnchorError> {
    let known = append_or_compare(path, checkpoint);
    match known.map_err(|source| unwritable(path, source))? {
        None => Ok(()),
        Some(known) => Err(AnchorError::Other {
            path: path.to_owned(),
            known,
            size: checkpoint.size,
        }),
    }
}

/// `None`: it is there now. Otherwise how much the anchor knows of another log.
fn append_or_compare(path: &Path, checkpoint: &Unanchored) -> io::Result<Option<i64>> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    file.lock()?;
    if let Some(note) = last_note(&mut file)? {
        let (known, root) = said(&note).ok_or_else(none_of_ours)?;
        let (size, ours) = said(&checkpoint.note).ok_or_else(none_of_ours)?;
        if known > size || known == size && root != ours {
            return Ok(Some(known));
        }
        if known == size {
            file.sync_all()?;
            return Ok(None);
        }
    }
    let line = anchored(&instant(checkpoint.made_at), &checkpoint.note);
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    Ok(None)
}

/// The size and the root that a note says: its second line and its third.
fn said(note: &str) -> Option<(i64, &str)> {
    let mut lines = note.split('\n').skip(1);
    Some((lines.next()?.parse().ok()?, lines.next()?))
}

fn none_of_ours() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a line is none of ours")
}

/// The note of the last line, if there is one. What was being written when the power went is cut
/// off.
fn last_note(file: &mut File) -> io::Result<Option<String>> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(2 * LONGEST_LINE);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    if whole < tail.len() {
        file.set_len(start + whole as u64)?;
    }
    let Some(line) = tail[..whole]
        .split_inclusive(|&byte| byte == b'\n')
        .next_back()
    else {
        return Ok(None);
    };
    let line = serde_json::from_slice::<Value>(line).map_err(|_| none_of_ours())?;
    let note = line["note"].as_str().ok_or_else(none_of_ours)?;
    Ok(Some(note.to_owned()))
}

fn unwritable(path: &Path, source: io::Error) -> AnchorError {
    AnchorError::Unwritable {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;
    use crate::env::Env;

    fn checkpoint_of(log: u128, size: i64, root: &str) -> Unanchored {
        Unanchored {
            tenant_id: TenantId::from_uuid(Uuid::from_u128(log)),
            size,
            note: format!(
                "id.example/audit/{log}\n{size}\n{root}\n\n\u{2014} id.example/audit sig\n"
            ),
            made_at: datetime!(2026-03-02 14:00 UTC),
        }
    }

    fn checkpoint(size: i64) -> Unanchored {
        checkpoint_of(7, size, "root")
    }

    fn folder() -> PathBuf {
        let name = format!("lanyard-anchor-{}", Env::system().random_uuid());
        let folder = std::env::temp_dir().join(name);
        reach(&folder).unwrap();
        folder
    }

    /// Two servers, and one that died in the middle of a line.
    #[test]
    fn sizes_only_rise_and_half_a_line_is_cut_off() {
        let folder = folder();
        reach(&folder).unwrap();
        for size in [3, 5, 5] {
            let done = keep(&folder, vec![checkpoint(size)]);
            assert_eq!((done.kept.len(), done.failed.is_none()), (1, true));
        }
        let path = folder.join(format!("{}.ndjson", checkpoint(1).tenant_id));
        let two = fs::read_to_string(&path).unwrap();
        assert_eq!(two.lines().count(), 2);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"made_at\":\"2026-").unwrap();
        assert!(keep(&folder, vec![checkpoint(6)]).failed.is_none());
        let three = fs::read_to_string(&path).unwrap();
        assert!(three.starts_with(&two));
        assert_eq!(three.lines().count(), 3);
        assert!(
            three
                .lines()
                .all(|line| serde_json::from_str::<Value>(line).is_ok())
        );
        fs::write(&path, "something else\n").unwrap();
        let failed = keep(&folder, vec![checkpoint(7)]).failed;
        assert!(matches!(failed, Some(AnchorError::Unwritable { .. })));
        fs::remove_dir_all(&folder).unwrap();
    }

    /// A log that was cut off, and one that was written anew: neither is kept, nor called so, and
    /// what comes after them is.
    #[test]
    fn another_log_than_the_anchor_knows_is_not_kept() {
        let folder = folder();
        assert!(keep(&folder, vec![checkpoint(5)]).failed.is_none());
        let before = fs::read(folder.join(format!("{}.ndjson", checkpoint(1).tenant_id))).unwrap();
        for other in [checkpoint(4), checkpoint_of(7, 5, "another root")] {
            let size = other.size;
            let done = keep(&folder, vec![other, checkpoint_of(8, size, "root")]);
            let kept: Vec<_> = done.kept.iter().map(|one| one.tenant_id).collect();
            assert_eq!(kept, [checkpoint_of(8, 1, "").tenant_id]);
            let failed = done.failed.expect("it is said");
            let AnchorError::Other {
                known, size: of, ..
            } = failed
            else {
                panic!("{failed}");
            };
            assert_eq!((known, of), (5, size));
        }
        let after = fs::read(folder.join(format!("{}.ndjson", checkpoint(1).tenant_id))).unwrap();
        assert_eq!(after, before);
        fs::remove_dir_all(&folder).unwrap();
    }
}
