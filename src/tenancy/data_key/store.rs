//! `tenancy.data_key`.

use time::OffsetDateTime;

use super::model::{GENERATION, StoredKey};
use crate::db::{Platform, StoreError, Tenancy, Tx};
use crate::ids::TenantId;
use crate::keys::Wrapped;

fn stored(row: (String, Option<Vec<u8>>)) -> StoredKey {
    let (master, wrapped) = row;
    wrapped.map_or(StoredKey::Destroyed, |sealed| {
        StoredKey::Wrapped(Wrapped { master, sealed })
    })
}

/// The clinic's own.
pub(super) async fn find(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
) -> Result<Option<StoredKey>, StoreError> {
    let row = sqlx::query_as(
        "select master_key_id, wrapped
         from tenancy.data_key
         where tenant_id = $1 and generation = $2",
    )
    .bind(tenant)
    .bind(i32::from(GENERATION))
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(stored))
}

/// Stores a clinic's first key; does nothing if it has or had one.
pub(super) async fn insert(
    tx: &mut Tx<Platform>,
    tenant: TenantId,
    wrapped: &Wrapped,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into tenancy.data_key
           (tenant_id, generation, master_key_id, wrapped, created_at)
         values ($1, $2, $3, $4, $5)
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(i32::from(GENERATION))
    .bind(&wrapped.master)
    .bind(&wrapped.sealed)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Clinics from before there were data keys, at most `most`.
pub(super) async fn list_without(
    tx: &mut Tx<Platform>,
    most: i64,
) -> Result<Vec<TenantId>, StoreError> {
    let tenants = sqlx::query_scalar(
        "select t.tenant_id
         from tenancy.tenant t
         where not exists (
           select from tenancy.data_key k where k.tenant_id = t.tenant_id
         )
         order by t.tenant_id
         limit $1",
    )
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    Ok(tenants)
}

/// Erases a clinic's key; `false` if there is none any more.
pub(super) async fn destroy(
    tx: &mut Tx<Platform>,
    tenant: TenantId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update tenancy.data_key
         set wrapped = null, destroyed_at = $2
         where tenant_id = $1 and wrapped is not null",
    )
    .bind(tenant)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Keys that are under another master key than `newest`, at most `most`.
pub(super) async fn list_under_others(
    tx: &mut Tx<Platform>,
    newest: &str,
    most: i64,
) -> Result<Vec<(TenantId, Wrapped)>, StoreError> {
    let rows: Vec<(TenantId, String, Vec<u8>)> = sqlx::query_as(
        "select tenant_id, master_key_id, wrapped
         from tenancy.data_key
         where wrapped is not null and (master_key_id < $1 or master_key_id > $1)
         order by master_key_id, tenant_id
         limit $2",
    )
    .bind(newest)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    let wrapped = |(tenant, master, sealed)| (tenant, Wrapped { master, sealed });
    Ok(rows.into_iter().map(wrapped).collect())
}

/// Puts the same key under another master key; nothing happens if it changed meanwhile.
pub(super) async fn rewrap(
    tx: &mut Tx<Platform>,
    tenant: TenantId,
    from: &Wrapped,
    to: &Wrapped,
) -> Result<(), StoreError> {
    sqlx::query(
        "update tenancy.data_key
         set master_key_id = $3, wrapped = $4
         where tenant_id = $1 and wrapped = $2",
    )
    .bind(tenant)
    .bind(&from.sealed)
    .bind(&to.master)
    .bind(&to.sealed)
    .execute(tx.conn())
    .await?;
    Ok(())
}
