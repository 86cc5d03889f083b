//! One Lanyard per data folder. The kernel drops the lock with the process that holds it, so a
//! killed one never blocks the next.

use std::{
    fs,
    io::{Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use super::{EmbeddedError, error::At as _};

/// Held for as long as the cluster may be used. Children don't inherit it.
#[derive(Debug)]
pub(super) struct Lock {
    _file: fs::File,
}

/// Takes the lock of `base`, or says who holds it.
pub(super) fn take(base: &Path) -> Result<Lock, EmbeddedError> {
    let path = base.join("lock");
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .at("cannot open", &path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            return Err(EmbeddedError::InUse {
                path: base.to_path_buf(),
                holder: holder(&path),
            });
        }
        Err(fs::TryLockError::Error(e)) => return Err(e).at("cannot lock", &path),
    }
    // Only for the message above.
    let noted = file.set_len(0).and_then(|()| file.rewind());
    noted
        .and_then(|()| write!(file, "{}", std::process::id()))
        .at("cannot write", &path)?;
    Ok(Lock { _file: file })
}

fn holder(path: &Path) -> String {
    let pid = fs::read_to_string(path)
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok());
    pid.map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}
