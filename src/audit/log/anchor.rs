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
#[error("the anchor {path} can't be written")]
pub struct AnchorError {
    /// Where.
    path: PathBuf,
    /// Why.
    #[source]
    source: io::Error,
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
    made.map_err(|source| failed(folder, source))
}

/// Keeps them: when this returns they survive a power cut.
///
/// # Errors
/// [`AnchorError`] for the first that can't be kept.
pub(super) fn keep(folder: &Path, checkpoints: &[Unanchored]) -> Result<(), AnchorError> {
    let mut is_new = false;
    for checkpoint in checkpoints {
        let path = folder.join(format!("{}.ndjson", checkpoint.tenant_id));
        is_new |= !path.exists();
        append(&path, checkpoint).map_err(|source| failed(&path, source))?;
    }
    if is_new {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| failed(folder, source))?;
    }
    Ok(())
}

/// Under a lock of the file's: another server may have a later one for the same log.
fn append(path: &Path, checkpoint: &Unanchored) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    file.lock()?;
    let known = last_size(&mut file)?;
    if known > checkpoint.size {
        let (log, size) = (checkpoint.tenant_id, checkpoint.size);
        tracing::error!(%log, size, known, "the anchor knows a longer log: restored, or cut off");
    }
    if known < checkpoint.size {
        let line = anchored(&instant(checkpoint.made_at), &checkpoint.note);
        file.write_all(line.as_bytes())?;
    }
    file.sync_all()
}

/// The size that the last line says; 0 without one. What was being written when the power went is
/// cut off.
fn last_size(file: &mut File) -> io::Result<i64> {
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
        return Ok(0);
    };
    let size = serde_json::from_slice::<Value>(line).ok().and_then(|line| {
        let note = line["note"].as_str()?;
        note.split('\n').nth(1)?.parse().ok()
    });
    size.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its last line is none of ours"))
}

fn failed(path: &Path, source: io::Error) -> AnchorError {
    AnchorError {
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

    fn checkpoint(size: i64) -> Unanchored {
        Unanchored {
            tenant_id: TenantId::from_uuid(Uuid::from_u128(7)),
            size,
            note: format!("id.example/audit/7\n{size}\nroot\n\n\u{2014} id.example/audit sig\n"),
            made_at: datetime!(2026-03-02 14:00 UTC),
        }
    }

    /// Two servers, and one that died in the middle of a line.
    #[test]
    fn sizes_only_rise_and_half_a_line_is_cut_off() {
        let folder =
            std::env::temp_dir().join(format!("lanyard-anchor-{}", Env::system().random_uuid()));
        reach(&folder).unwrap();
        reach(&folder).unwrap();
        for size in [3, 5, 4, 5] {
            keep(&folder, &[checkpoint(size)]).unwrap();
        }
        let path = folder.join(format!("{}.ndjson", checkpoint(1).tenant_id));
        let two = fs::read_to_string(&path).unwrap();
        assert_eq!(two.lines().count(), 2);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"made_at\":\"2026-").unwrap();
        keep(&folder, &[checkpoint(6)]).unwrap();
        let three = fs::read_to_string(&path).unwrap();
        assert!(three.starts_with(&two));
        assert_eq!(three.lines().count(), 3);
        assert!(
            three
                .lines()
                .all(|line| serde_json::from_str::<Value>(line).is_ok())
        );
        fs::write(&path, "something else\n").unwrap();
        keep(&folder, &[checkpoint(7)]).unwrap_err();
        fs::remove_dir_all(&folder).unwrap();
    }
}
