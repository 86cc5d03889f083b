//! `identity.account` and `identity.membership` of whom is erased.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::Held;
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{AccountId, SubjectId, TenantId};

/// The account of that login or pseudonym, and whether it is erased; held until the transaction
/// ends.
pub(super) async fn hold(
    tx: &mut Tx<Identity>,
    login_locator: Uuid,
) -> Result<Option<(AccountId, bool)>, StoreError> {
    let found = sqlx::query_as(
        "select account_id, erased_at is not null
         from identity.account
         where login_locator = $1
         for update",
    )
    .bind(login_locator)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found)
}

/// Where she is or was a member.
pub(super) async fn list_held(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Vec<Held>, StoreError> {
    let held = sqlx::query_as(
        "select m.tenant_id, m.subject_id,
           m.status = 'active' and a.status = 'active' and exists (
             select from identity.membership_role r
             where r.tenant_id = m.tenant_id and r.subject_id = m.subject_id
               and r.role in ('clinic_admin', 'super_admin')
               and not exists (
                 select from identity.membership_role o
                 join identity.membership n
                   on n.tenant_id = o.tenant_id and n.subject_id = o.subject_id
                 join identity.account b on b.account_id = n.account_id
                 where o.tenant_id = r.tenant_id and o.role = r.role
                   and n.account_id <> m.account_id
                   and n.status = 'active' and b.status = 'active')
           ) as is_last_administrator
         from identity.membership m
         join identity.account a on a.account_id = m.account_id
         where m.account_id = $1
         order by m.tenant_id",
    )
    .bind(account)
    .fetch_all(tx.conn())
    .await?;
    Ok(held)
}

/// What the database's function erased.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Gone {
    pub(super) sessions: i64,
    pub(super) messages: i64,
    pub(super) disclosures: i64,
}

/// Erases who the account was, except for factors and memberships.
pub(super) async fn erase(
    tx: &mut Tx<Identity>,
    account: AccountId,
    pseudonym_locator: Uuid,
    login_digest: &str,
    at: OffsetDateTime,
) -> Result<Gone, StoreError> {
    let gone = sqlx::query_as(
        "select sessions, messages, disclosures from identity.erase_account($1, $2, $3, $4)",
    )
    .bind(account)
    .bind(pseudonym_locator)
    .bind(login_digest)
    .bind(at)
    .fetch_one(tx.conn())
    .await?;
    Ok(gone)
}

/// Ends a membership, whose name becomes what an erased account's is.
pub(super) async fn end_membership(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: SubjectId,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.membership set status = 'ended', display_name = 'Erased person'
         where tenant_id = $1 and subject_id = $2",
    )
    .bind(tenant)
    .bind(subject)
    .execute(tx.conn())
    .await?;
    Ok(())
}
