//! `identity.data_key` and `identity.epoch`.

use time::OffsetDateTime;

use super::epoch::Mark;
use super::wrap::Wrapped;
use crate::db::{Identity, StoreError, Tx};

/// A data key as stored; without ciphertext it is the one that was derived from the master key.
#[derive(sqlx::FromRow)]
pub(super) struct DataKeyRow {
    pub(super) generation: i32,
    pub(super) master_key_id: Option<String>,
    pub(super) wrapped: Option<Vec<u8>>,
}

/// The newest.
pub(super) async fn find(tx: &mut Tx<Identity>) -> Result<Option<DataKeyRow>, StoreError> {
    let row = sqlx::query_as(
        "select generation, master_key_id, wrapped
         from identity.data_key
         order by generation desc
         limit 1",
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// Stores the first; does nothing if another process was faster.
pub(super) async fn insert_first(
    tx: &mut Tx<Identity>,
    wrapped: &Wrapped,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.data_key (generation, master_key_id, wrapped, created_at)
         values (1, $1, $2, $3)
         on conflict do nothing",
    )
    .bind(&wrapped.master)
    .bind(&wrapped.sealed)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Stores what was derived before; does nothing if another process was faster.
pub(super) async fn keep_inherited(
    tx: &mut Tx<Identity>,
    wrapped: &Wrapped,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.data_key
         set master_key_id = $1, wrapped = $2
         where generation = 1 and wrapped is null",
    )
    .bind(&wrapped.master)
    .bind(&wrapped.sealed)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts the same key under another master key; `false` if it changed meanwhile.
pub(super) async fn rewrap(
    tx: &mut Tx<Identity>,
    generation: i32,
    from: &Wrapped,
    to: &Wrapped,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.data_key
         set master_key_id = $3, wrapped = $4
         where generation = $1 and wrapped = $2",
    )
    .bind(generation)
    .bind(&from.sealed)
    .bind(&to.master)
    .bind(&to.sealed)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The current epoch, and how far it is.
pub(super) async fn mark(tx: &mut Tx<Identity>) -> Result<Mark, StoreError> {
    let row: Option<(i32, i64)> = sqlx::query_as(
        "select epoch, checkpoint
         from identity.epoch
         order by epoch desc
         limit 1",
    )
    .fetch_optional(tx.conn())
    .await?;
    let (epoch, checkpoint) = row.ok_or(StoreError::Corrupt {
        table: "identity.epoch",
        what: "no epoch",
    })?;
    Ok(Mark { epoch, checkpoint })
}

/// Counts one more; `None` if the database is behind `last`, or in another epoch.
pub(super) async fn count(tx: &mut Tx<Identity>, last: Mark) -> Result<Option<i64>, StoreError> {
    let checkpoint = sqlx::query_scalar(
        "update identity.epoch
         set checkpoint = checkpoint + 1
         where epoch = $1 and checkpoint >= $2
           and not exists (select from identity.epoch later where later.epoch > $1)
         returning checkpoint",
    )
    .bind(last.epoch)
    .bind(last.checkpoint)
    .fetch_optional(tx.conn())
    .await?;
    Ok(checkpoint)
}

/// Begins an epoch; does nothing if it has begun.
pub(super) async fn begin_epoch(
    tx: &mut Tx<Identity>,
    epoch: i32,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.epoch (epoch, checkpoint, began_at)
         values ($1, 0, $2)
         on conflict do nothing",
    )
    .bind(epoch)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}
