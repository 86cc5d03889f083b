//! `identity.account`, `identity.password`, `identity.membership`, as administration needs them.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Account, NewAccount, NewMembership, Role};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{AccountId, SubjectId, TenantId};

/// Inserts an account; `false` if its login is taken.
pub(super) async fn insert_account(
    tx: &mut Tx<Identity>,
    id: AccountId,
    new: &NewAccount,
    login_locator: Uuid,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into identity.account
           (account_id, login, login_locator, display_name, status, created_at)
         values ($1, $2, $3, $4, 'active', $5)
         on conflict do nothing",
    )
    .bind(id)
    .bind(new.login.as_str())
    .bind(login_locator)
    .bind(new.name.as_str())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    account_id: AccountId,
    display_name: String,
    status: String,
    password_epoch: i32,
    created_at: OffsetDateTime,
}

/// The account of that login; one that was erased is nobody's.
pub(super) async fn find_account(
    tx: &mut Tx<Identity>,
    login_locator: Uuid,
) -> Result<Option<Account>, StoreError> {
    let row: Option<AccountRow> = sqlx::query_as(
        "select account_id, display_name, status, password_epoch, created_at
         from identity.account
         where login_locator = $1 and erased_at is null",
    )
    .bind(login_locator)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Account {
        id: row.account_id,
        name: row.display_name,
        is_active: row.status == "active",
        password_epoch: row.password_epoch,
        created_at: row.created_at,
    }))
}

/// Sets the password's hash, whether there was one or not.
pub(super) async fn put_password(
    tx: &mut Tx<Identity>,
    account: AccountId,
    phc: &str,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.password (account_id, phc, changed_at)
         values ($1, $2, $3)
         on conflict (account_id)
           do update set phc = excluded.phc, changed_at = excluded.changed_at",
    )
    .bind(account)
    .bind(phc)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends every session and grant of the account, and lets its person sign in again.
pub(super) async fn mark_recovered(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.account
         set password_epoch = password_epoch + 1, status = 'active'
         where account_id = $1",
    )
    .bind(account)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The catalog of roles, by name.
pub(super) async fn list_roles(tx: &mut Tx<Identity>) -> Result<Vec<Role>, StoreError> {
    let rows: Vec<(String, bool)> =
        sqlx::query_as("select role, is_platform from identity.role order by role")
            .fetch_all(tx.conn())
            .await?;
    Ok(rows
        .into_iter()
        .map(|(name, is_platform)| Role { name, is_platform })
        .collect())
}

/// Inserts a membership; `false` if the account has one in that tenant.
pub(super) async fn insert_membership(
    tx: &mut Tx<Identity>,
    subject: SubjectId,
    new: &NewMembership,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into identity.membership
           (tenant_id, subject_id, account_id, display_name, status, created_at)
         values ($1, $2, $3, $4, 'active', $5)
         on conflict do nothing",
    )
    .bind(new.tenant)
    .bind(subject)
    .bind(new.account)
    .bind(new.name.as_str())
    .bind(at)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "insert into identity.membership_role (tenant_id, subject_id, role)
         select $1, $2, role from unnest($3::text[]) as given (role)
         on conflict do nothing",
    )
    .bind(new.tenant)
    .bind(subject)
    .bind(&new.roles)
    .execute(tx.conn())
    .await?;
    Ok(true)
}

/// How many active members of a tenant hold a role, in active accounts.
pub(super) async fn count_role_holders(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    role: &str,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar(
        "select count(*)
         from identity.membership_role r
         join identity.membership m using (tenant_id, subject_id)
         join identity.account a using (account_id)
         where r.tenant_id = $1 and r.role = $2 and m.status = 'active' and a.status = 'active'",
    )
    .bind(tenant)
    .bind(role)
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}
