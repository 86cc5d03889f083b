//! The secret from which the serving roles' passwords derive, on a server of one's own.
//!
//! It is no part of the master key, so that another master key changes no password: a file
//! beside that key, wrapped under it. Where there is none, the deployment is from before there was
//! one, and the passwords derive from the master key.

use std::fs;
use std::io;
use std::path::Path;

use super::folder::{FolderError, read_private, write_private};
use super::wrap::{KeyWrap, WrapError, Wrapped};
use crate::db::Logins;
use crate::env::Env;
use crate::secret::DataKey;

const FILE: &str = "logins.sealed";
const PLACE: &str = "keys/logins.sealed";

/// The logins of this folder.
pub async fn logins(folder: &Path, master: &dyn KeyWrap) -> Result<Logins, WrapError> {
    let root = match find(folder)? {
        Some(wrapped) => open(master, &wrapped).await?,
        None => master.inherited().ok_or_else(|| WrapError::Changed {
            place: PLACE.to_owned(),
        })?,
    };
    Ok(Logins::of(root))
}

/// Makes the secret of a new deployment.
pub async fn make_logins(folder: &Path, env: &Env, master: &dyn KeyWrap) -> Result<(), WrapError> {
    keep(folder, env, master, &DataKey::random(env)).await
}

/// Wraps the secret, the inherited one too, under the newest master key; `false`: it was already.
pub async fn rewrap_logins(
    folder: &Path,
    env: &Env,
    master: &dyn KeyWrap,
) -> Result<bool, WrapError> {
    let root = match find(folder)? {
        Some(wrapped) if wrapped.master == master.newest().await? => return Ok(false),
        Some(wrapped) => open(master, &wrapped).await?,
        None => match master.inherited() {
            Some(root) => root,
            None => return Ok(false),
        },
    };
    keep(folder, env, master, &root).await?;
    Ok(true)
}

async fn open(master: &dyn KeyWrap, wrapped: &Wrapped) -> Result<DataKey, WrapError> {
    let plain = master.unwrap(PLACE, wrapped).await?;
    DataKey::from_slice(&plain).ok_or_else(|| WrapError::Changed {
        place: PLACE.to_owned(),
    })
}

async fn keep(
    folder: &Path,
    env: &Env,
    master: &dyn KeyWrap,
    root: &DataKey,
) -> Result<(), WrapError> {
    let wrapped = master.wrap(env, PLACE, root.as_bytes()).await?;
    let text = format!("{} {}\n", wrapped.master, super::base64(&wrapped.sealed));
    let path = folder.join(FILE);
    write_private(&path, text.as_bytes()).map_err(|source| unreadable(&path, source))
}

/// Name of the master key, a blank, the ciphertext in base64.
fn find(folder: &Path) -> Result<Option<Wrapped>, WrapError> {
    let path = folder.join(FILE);
    if !fs::exists(&path).map_err(|source| unreadable(&path, source))? {
        return Ok(None);
    }
    let text = read_private(&path)?;
    let parts = text.trim().split_once(' ');
    let wrapped = parts.and_then(|(master, sealed)| {
        Some(Wrapped {
            master: master.to_owned(),
            sealed: super::from_base64(sealed)?,
        })
    });
    wrapped.map(Some).ok_or_else(|| WrapError::Changed {
        place: PLACE.to_owned(),
    })
}

fn unreadable(path: &Path, source: io::Error) -> WrapError {
    let path = path.display().to_string();
    FolderError::Unreadable { path, source }.into()
}
