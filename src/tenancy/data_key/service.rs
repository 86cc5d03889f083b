//! Making, opening, re-wrapping and destroying clinics' keys.

use super::model::{GENERATION, StoredKey, TenantKey};
use super::store;
use crate::db::{Authority, Db, Job, Platform, StoreError, Tenancy, Tx};
use crate::env::Env;
use crate::ids::TenantId;
use crate::keys::KeysError;
use crate::secret::{DataKey, Keys};

/// How many keys one look brings.
const PAGE: i64 = 100;

fn place(tenant: TenantId) -> String {
    format!("tenancy.data_key/{tenant}/{GENERATION}")
}

fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt {
        table: "tenancy.data_key",
        what,
    }
}

/// Makes a clinic's key, if it never had one.
pub(crate) async fn ensure(
    db: &Db,
    env: &Env,
    keys: &Keys,
    tenant: TenantId,
) -> Result<(), KeysError> {
    let fresh = DataKey::random(env);
    let master = keys.master();
    let wrapped = master.wrap(env, &place(tenant), fresh.as_bytes()).await?;
    let authority = Authority::job_in(Job::OpenKeys, tenant);
    let made = db.run(authority, async |tx| {
        store::insert(tx, tenant, &wrapped, env.now()).await
    });
    Ok(made.await?)
}

/// The same for every clinic from before there were data keys.
pub(crate) async fn ensure_all(db: &Db, env: &Env, keys: &Keys) -> Result<(), KeysError> {
    loop {
        let authority = Authority::job(Job::AdministerTenants).read_only();
        let without = db.run(authority, async |tx| store::list_without(tx, PAGE).await);
        let without = without.await?;
        if without.is_empty() {
            return Ok(());
        }
        for tenant in without {
            ensure(db, env, keys, tenant).await?;
        }
    }
}

/// The clinic's key as stored, for [`open`] after the transaction.
pub(crate) async fn find(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
) -> Result<Option<StoredKey>, StoreError> {
    store::find(tx, tenant).await
}

/// Opens a clinic's key; `None` once it was destroyed.
///
/// # Errors
/// [`StoreError::Corrupt`] if it is another clinic's, was changed, or is under no master key at
/// hand: nothing is shown then.
pub(crate) async fn open(
    keys: &Keys,
    tenant: TenantId,
    stored: Option<StoredKey>,
) -> Result<Option<TenantKey>, StoreError> {
    let wrapped = match stored {
        Some(StoredKey::Wrapped(wrapped)) => wrapped,
        Some(StoredKey::Destroyed) => return Ok(None),
        None => return Err(corrupt("no key")),
    };
    let plain = keys.master().unwrap(&place(tenant), &wrapped).await;
    let plain = plain.map_err(|error| {
        tracing::error!(%error, "a clinic's data key does not open");
        corrupt("does not open")
    })?;
    let key = DataKey::from_slice(&plain).ok_or(corrupt("no 32 bytes"))?;
    Ok(Some(TenantKey::of(tenant, &key)))
}

/// Erases a clinic's key, and with it all that is under it; `false` if there is none any more.
pub(crate) async fn destroy(
    tx: &mut Tx<Platform>,
    env: &Env,
    tenant: TenantId,
) -> Result<bool, StoreError> {
    store::destroy(tx, tenant, env.now()).await
}

/// Puts every clinic's key under the newest master key; says how many.
pub(crate) async fn rewrap(db: &Db, env: &Env, keys: &Keys) -> Result<u64, KeysError> {
    let master = keys.master();
    let newest = master.newest().await?;
    let mut count = 0;
    loop {
        let authority = Authority::job(Job::OpenKeys).read_only();
        let page = db.run(authority, async |tx| {
            store::list_under_others(tx, &newest, PAGE).await
        });
        let page = page.await?;
        if page.is_empty() {
            return Ok(count);
        }
        for (tenant, old) in page {
            let plain = master.unwrap(&place(tenant), &old).await?;
            let new = master.wrap(env, &place(tenant), &plain).await?;
            let authority = Authority::job_in(Job::OpenKeys, tenant);
            let kept = db.run(authority, async |tx| {
                store::rewrap(tx, tenant, &old, &new).await
            });
            kept.await.map_err(KeysError::Store)?;
            count += 1;
        }
    }
}
