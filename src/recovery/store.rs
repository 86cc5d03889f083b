//! `identity.recovery_link`: one row an account.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::Bound;
use crate::db::{Identity, StoreError, Tx};
use crate::ids::AccountId;
use crate::secret::KeyedDigest;

/// A link's row, as the claim of its id sees it.
#[derive(sqlx::FromRow)]
pub(super) struct LinkRow {
    account_id: AccountId,
    pub(super) secret_digest: Vec<u8>,
    password_epoch: i32,
    login_locator: Uuid,
    expires_at: OffsetDateTime,
}

impl LinkRow {
    /// What its digest must cover.
    pub(super) fn bound(&self) -> Bound {
        Bound {
            account: self.account_id,
            expires_at: self.expires_at,
            password_epoch: self.password_epoch,
            login_locator: self.login_locator,
        }
    }
}

/// Puts a link in the place of the account's older one, if the claimed login is an active
/// account's; the same statement for all.
pub(super) async fn put(
    tx: &mut Tx<Identity>,
    link: Uuid,
    bound: &Bound,
    digest: &KeyedDigest,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.recovery_link as l
           (account_id, link_id, secret_digest, password_epoch, login_locator, created_at,
            expires_at)
         select a.account_id, $3, $4, $5, a.login_locator, $6, $7
         from identity.account a
         where a.login_locator = $1 and a.account_id = $2 and a.status = 'active'
         on conflict (account_id) do update set
           link_id = excluded.link_id, secret_digest = excluded.secret_digest,
           password_epoch = excluded.password_epoch, login_locator = excluded.login_locator,
           created_at = excluded.created_at, expires_at = excluded.expires_at, spent_at = null",
    )
    .bind(bound.login_locator)
    .bind(bound.account)
    .bind(link)
    .bind(digest.as_bytes())
    .bind(bound.password_epoch)
    .bind(at)
    .bind(bound.expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The live link of that id.
pub(super) async fn find_claimed(
    tx: &mut Tx<Identity>,
    link: Uuid,
    now: OffsetDateTime,
) -> Result<Option<LinkRow>, StoreError> {
    let row = sqlx::query_as(
        "select account_id, secret_digest, password_epoch, login_locator, expires_at
         from identity.recovery_link
         where link_id = $1 and spent_at is null and expires_at > $2",
    )
    .bind(link)
    .bind(now)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// Spends it, once; false if it was spent, or a newer one took its place.
pub(super) async fn spend(
    tx: &mut Tx<Identity>,
    account: AccountId,
    link: Uuid,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.recovery_link set spent_at = $3
         where account_id = $1 and link_id = $2 and spent_at is null and expires_at > $3",
    )
    .bind(account)
    .bind(link)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
