//! `identity.totp`, of the transaction's account alone.

use time::OffsetDateTime;

use super::model::Device;
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{AccountId, SessionId, TotpId};

/// A device that is being set up, with its secret.
#[derive(sqlx::FromRow)]
pub(super) struct Begun {
    pub(super) totp_id: TotpId,
    pub(super) secret_sealed: Vec<u8>,
}

/// A device that counts, with its secret.
#[derive(sqlx::FromRow)]
pub(super) struct Counting {
    #[sqlx(flatten)]
    pub(super) device: Device,
    pub(super) secret_sealed: Vec<u8>,
}

/// The one that this session is setting up since `since` or later.
pub(super) async fn find_unconfirmed(
    tx: &mut Tx<Identity>,
    account: AccountId,
    session: SessionId,
    since: OffsetDateTime,
) -> Result<Option<Begun>, StoreError> {
    let row = sqlx::query_as(
        "select totp_id, secret_sealed
         from identity.totp
         where account_id = $1 and begun_in = $2 and confirmed_at is null and created_at > $3",
    )
    .bind(account)
    .bind(session)
    .bind(since)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

pub(super) async fn delete_unconfirmed(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<(), StoreError> {
    sqlx::query("delete from identity.totp where account_id = $1 and confirmed_at is null")
        .bind(account)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Begins one; false if another is under way.
pub(super) async fn insert(
    tx: &mut Tx<Identity>,
    (account, id): (AccountId, TotpId),
    sealed: &[u8],
    session: SessionId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into identity.totp (totp_id, account_id, name, secret_sealed, begun_in, created_at)
         values ($1, $2, 'Authenticator app', $3, $4, $5)
         on conflict do nothing",
    )
    .bind(id)
    .bind(account)
    .bind(sealed)
    .bind(session)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn insert_confirmed(
    tx: &mut Tx<Identity>,
    (account, id): (AccountId, TotpId),
    sealed: &[u8],
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.totp
           (totp_id, account_id, name, secret_sealed, created_at, confirmed_at)
         values ($1, $2, 'Demo', $3, $4, $4)",
    )
    .bind(id)
    .bind(account)
    .bind(sealed)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets it count, once; the step of its first code is taken with it.
pub(super) async fn mark_confirmed(
    tx: &mut Tx<Identity>,
    id: TotpId,
    name: &str,
    step: i64,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.totp
         set name = $2, last_step = $3, confirmed_at = $4, last_used_at = $4
         where totp_id = $1 and confirmed_at is null",
    )
    .bind(id)
    .bind(name)
    .bind(step)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Those that count, oldest first.
pub(super) async fn list(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Vec<Counting>, StoreError> {
    let rows = sqlx::query_as(
        "select totp_id, name, confirmed_at, last_used_at, secret_sealed
         from identity.totp
         where account_id = $1 and confirmed_at is not null
         order by confirmed_at, totp_id
         limit 20",
    )
    .bind(account)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// Takes a step: true once, and only if no later one was taken.
pub(super) async fn claim_step(
    tx: &mut Tx<Identity>,
    id: TotpId,
    step: i64,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.totp set last_step = $2, last_used_at = $3
         where totp_id = $1 and confirmed_at is not null and last_step < $2",
    )
    .bind(id)
    .bind(step)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn rename(
    tx: &mut Tx<Identity>,
    account: AccountId,
    id: TotpId,
    name: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.totp set name = $3
         where account_id = $1 and totp_id = $2 and confirmed_at is not null",
    )
    .bind(account)
    .bind(id)
    .bind(name)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn delete(
    tx: &mut Tx<Identity>,
    account: AccountId,
    id: TotpId,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "delete from identity.totp
         where account_id = $1 and totp_id = $2 and confirmed_at is not null",
    )
    .bind(account)
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// All of them, those that do not count yet, too.
pub(super) async fn delete_all(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<(), StoreError> {
    sqlx::query("delete from identity.totp where account_id = $1")
        .bind(account)
        .execute(tx.conn())
        .await?;
    Ok(())
}
