//! What `identity.account`, `identity.totp` and `identity.factor_policy` say of second factors.

use time::OffsetDateTime;

use super::service::{Inventory, Standing};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{AccountId, TenantId};

pub(super) async fn find_standing(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Standing, StoreError> {
    let standing = sqlx::query_as(
        "select exists (select from identity.totp t
                        where t.account_id = $1 and t.confirmed_at is not null) as has_device,
                a.factor_grace_spent_at is null as grace_is_left
         from identity.account a
         where a.account_id = $1",
    )
    .bind(account)
    .fetch_one(tx.conn())
    .await?;
    Ok(standing)
}

pub(super) async fn find_inventory(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Inventory, StoreError> {
    let inventory = sqlx::query_as(
        "select (select count(*) from identity.totp t
                 where t.account_id = $1 and t.confirmed_at is not null) as devices,
                (select count(*) from identity.recovery_code r
                 where r.account_id = $1 and r.spent_at is null) as recovery_codes,
                a.factor_grace_spent_at is null as grace_is_left
         from identity.account a
         where a.account_id = $1",
    )
    .bind(account)
    .fetch_one(tx.conn())
    .await?;
    Ok(inventory)
}

/// Spends the grace; false if it was spent before.
pub(super) async fn mark_grace_spent(
    tx: &mut Tx<Identity>,
    account: AccountId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.account set factor_grace_spent_at = $2
         where account_id = $1 and factor_grace_spent_at is null",
    )
    .bind(account)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends every session and grant of the account, and gives the grace back.
pub(super) async fn mark_reset(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.account
         set password_epoch = password_epoch + 1, factor_grace_spent_at = null
         where account_id = $1",
    )
    .bind(account)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Asks a second factor of every member; false if it was asked before.
pub(super) async fn require(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into identity.factor_policy (tenant_id, applies_to, required_at)
         values ($1, 'everybody', $2)
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Asks it of those alone whose roles ask; false if it was so before.
pub(super) async fn require_no_longer(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
) -> Result<bool, StoreError> {
    let done = sqlx::query("delete from identity.factor_policy where tenant_id = $1")
        .bind(tenant)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}
