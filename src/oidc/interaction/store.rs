//! `identity.interaction`, each row seen only by its own claim.

use serde_json::Value;
use time::OffsetDateTime;

use crate::db::{Identity, StoreError, Tx};
use crate::ids::InteractionId;

#[derive(sqlx::FromRow)]
pub(crate) struct InteractionRow {
    pub(crate) browser_digest: Vec<u8>,
    pub(crate) request: Value,
    pub(crate) created_at: OffsetDateTime,
}

pub(crate) async fn insert(
    tx: &mut Tx<Identity>,
    id: InteractionId,
    browser_digest: &[u8],
    request: &Value,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.interaction
           (interaction_id, browser_digest, request, created_at, expires_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(browser_digest)
    .bind(request)
    .bind(created_at)
    .bind(expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A live one: not finished, not expired.
pub(crate) async fn find(
    tx: &mut Tx<Identity>,
    id: InteractionId,
    now: OffsetDateTime,
) -> Result<Option<InteractionRow>, StoreError> {
    let row = sqlx::query_as(
        "select browser_digest, request, created_at
         from identity.interaction
         where interaction_id = $1 and finished_at is null and expires_at > $2",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

pub(crate) async fn update(
    tx: &mut Tx<Identity>,
    id: InteractionId,
    request: &Value,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.interaction set request = $2
         where interaction_id = $1 and finished_at is null",
    )
    .bind(id)
    .bind(request)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Finishes it; false if it was finished before.
pub(crate) async fn mark_finished(
    tx: &mut Tx<Identity>,
    id: InteractionId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.interaction set finished_at = $2
         where interaction_id = $1 and finished_at is null",
    )
    .bind(id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
