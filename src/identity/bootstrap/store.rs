//! `identity.bootstrap`.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::{Identity, StoreError, Tx};
use crate::secret::KeyedDigest;

/// Ends every secret that was not used.
pub(super) async fn mark_replaced(
    tx: &mut Tx<Identity>,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("update identity.bootstrap set spent_at = $1 where spent_at is null")
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Keeps a new one's digest.
pub(super) async fn insert(
    tx: &mut Tx<Identity>,
    locator: Uuid,
    digest: &KeyedDigest,
    at: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.bootstrap
           (bootstrap_locator, secret_digest, created_at, expires_at)
         values ($1, $2, $3, $4)",
    )
    .bind(locator)
    .bind(digest.as_bytes())
    .bind(at)
    .bind(expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Uses a secret up; `false` if it is unknown, expired or used.
pub(super) async fn spend(
    tx: &mut Tx<Identity>,
    locator: Uuid,
    digest: &KeyedDigest,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.bootstrap
         set spent_at = $3
         where bootstrap_locator = $1 and secret_digest = $2
           and spent_at is null and created_at <= $3 and $3 < expires_at",
    )
    .bind(locator)
    .bind(digest.as_bytes())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
