//! `identity.recovery_code`, of the transaction's account alone.

use time::OffsetDateTime;

use crate::db::{Identity, StoreError, Tx};
use crate::ids::AccountId;

pub(super) async fn insert_all(
    tx: &mut Tx<Identity>,
    account: AccountId,
    digests: &[Vec<u8>],
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.recovery_code (account_id, code_digest, created_at)
         select $1, digest, $3 from unnest($2::bytea[]) as made (digest)",
    )
    .bind(account)
    .bind(digests)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn delete_all(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<(), StoreError> {
    sqlx::query("delete from identity.recovery_code where account_id = $1")
        .bind(account)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Spends one; false if there is none such, or it was spent before.
pub(super) async fn mark_spent(
    tx: &mut Tx<Identity>,
    account: AccountId,
    digest: &[u8],
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.recovery_code set spent_at = $3
         where account_id = $1 and code_digest = $2 and spent_at is null",
    )
    .bind(account)
    .bind(digest)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether there is such a one, spent or not.
pub(super) async fn exists(
    tx: &mut Tx<Identity>,
    account: AccountId,
    digest: &[u8],
) -> Result<bool, StoreError> {
    let exists = sqlx::query_scalar(
        "select exists (
           select from identity.recovery_code
           where account_id = $1 and code_digest = $2
         )",
    )
    .bind(account)
    .bind(digest)
    .fetch_one(tx.conn())
    .await?;
    Ok(exists)
}

pub(super) async fn count_left(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<i64, StoreError> {
    let left = sqlx::query_scalar(
        "select count(*)
         from identity.recovery_code
         where account_id = $1 and spent_at is null",
    )
    .bind(account)
    .fetch_one(tx.conn())
    .await?;
    Ok(left)
}
