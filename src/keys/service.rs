//! Opening identity's data key, from which the working keys derive.

use std::sync::Arc;

use serde_json::json;

use super::store::{self, DataKeyRow};
use super::wrap::{KeyWrap, WrapError, Wrapped};
use crate::audit::{self, EventType};
use crate::db::{Authority, Db, Identity, Job, StoreError};
use crate::env::Env;
use crate::secret::{DataKey, Keys};
use crate::signing::ring;

/// The working keys can't be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The database failed.
    #[error("the data keys can't be loaded")]
    Store(#[from] StoreError),
    /// The operator's: another master key, or an altered row.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// The operator's: the database is from before there were data keys, and this is not the
    /// master key that it was filled under.
    #[error("this is not the master key that the database was filled under")]
    OtherMaster,
}

fn place(generation: i32) -> String {
    format!("identity.data_key/{generation}")
}

/// Opens the working keys of this database; makes identity's data key where there is none.
pub async fn open(db: &Db, env: &Env, master: Arc<dyn KeyWrap>) -> Result<Keys, KeysError> {
    let (mut row, epoch) = look(db).await?;
    if row.as_ref().is_none_or(|row| row.wrapped.is_none()) {
        make(db, env, master.as_ref(), row.is_some()).await?;
        // As stored: another process may have been faster.
        row = look(db).await?.0;
    }
    let root = unwrap(master.as_ref(), row).await?;
    Ok(Keys::of(&root, epoch, master))
}

async fn look(db: &Db) -> Result<(Option<DataKeyRow>, i32), StoreError> {
    let authority = Authority::<Identity>::job(Job::OpenKeys).read_only();
    db.run(authority, async |tx| {
        Ok((store::find(tx).await?, store::mark(tx).await?.epoch))
    })
    .await
}

async fn make(
    db: &Db,
    env: &Env,
    master: &dyn KeyWrap,
    is_inherited: bool,
) -> Result<(), KeysError> {
    let key = if is_inherited {
        let key = master.inherited().ok_or(KeysError::OtherMaster)?;
        if !ring::opens_under(db, &key).await? {
            return Err(KeysError::OtherMaster);
        }
        key
    } else {
        DataKey::random(env)
    };
    let wrapped = master.wrap(env, &place(1), key.as_bytes()).await?;
    let authority = Authority::<Identity>::job(Job::OpenKeys);
    let stored = db.run(authority, async |tx| {
        if is_inherited {
            store::keep_inherited(tx, &wrapped).await
        } else {
            store::insert_first(tx, &wrapped, env.now()).await
        }
    });
    Ok(stored.await?)
}

async fn unwrap(master: &dyn KeyWrap, row: Option<DataKeyRow>) -> Result<DataKey, KeysError> {
    let (generation, wrapped) = stored(row)?;
    let plain = master.unwrap(&place(generation), &wrapped).await?;
    DataKey::from_slice(&plain).ok_or_else(|| corrupt().into())
}

fn stored(row: Option<DataKeyRow>) -> Result<(i32, Wrapped), StoreError> {
    let DataKeyRow {
        generation,
        master_key_id,
        wrapped,
    } = row.ok_or_else(corrupt)?;
    let wrapped = Wrapped {
        master: master_key_id.ok_or_else(corrupt)?,
        sealed: wrapped.ok_or_else(corrupt)?,
    };
    Ok((generation, wrapped))
}

const fn corrupt() -> StoreError {
    StoreError::Corrupt {
        table: "identity.data_key",
        what: "no key",
    }
}

/// Puts identity's data key under the newest master key, on the record; `false`: it was already.
pub(crate) async fn rewrap(db: &Db, env: &Env, keys: &Keys) -> Result<bool, KeysError> {
    let master = keys.master();
    let newest = master.newest().await?;
    let (generation, old) = stored(look(db).await?.0)?;
    if old.master == newest {
        return Ok(false);
    }
    let plain = master.unwrap(&place(generation), &old).await?;
    let new = master.wrap(env, &place(generation), &plain).await?;
    let authority = Authority::<Identity>::job(Job::OpenKeys);
    let kept = db.run(authority, async |tx| {
        let is_ours = store::rewrap(tx, generation, &old, &new).await?;
        if is_ours {
            let detail = json!({ "from": old.master, "to": new.master });
            audit::append(tx, env, keys, EventType::KeysRewrapped, detail).await?;
        }
        Ok::<_, StoreError>(is_ours)
    });
    Ok(kept.await?)
}
