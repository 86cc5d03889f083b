//! `identity.consent`.

use time::OffsetDateTime;

use super::model::{Consent, GivenConsent};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{ClientId, SubjectId, TenantId};

/// A member's yes to a client, held until the transaction ends: a withdrawal waits for it.
pub(super) async fn find_held(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: SubjectId,
    client: &ClientId,
) -> Result<Option<Consent>, StoreError> {
    let row = sqlx::query_as(
        "select scopes, client_created_at, given_at
         from identity.consent
         where tenant_id = $1 and subject_id = $2 and client_id = $3
         for share",
    )
    .bind(tenant)
    .bind(subject)
    .bind(client)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// Keeps a yes. What was allowed to the same registration before stays allowed.
pub(super) async fn put(
    tx: &mut Tx<Identity>,
    (tenant, subject): (TenantId, SubjectId),
    (client, client_created_at): (&ClientId, OffsetDateTime),
    scopes: &[String],
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.consent as c
           (tenant_id, subject_id, client_id, client_created_at, scopes, first_given_at, given_at,
            last_used_at)
         values ($1, $2, $3, $4, $5, $6, $6, $6)
         on conflict (tenant_id, subject_id, client_id) do update set
           scopes = case when c.client_created_at = excluded.client_created_at
             then array(select distinct s from unnest(c.scopes || excluded.scopes) s order by s)
             else excluded.scopes end,
           first_given_at = case when c.client_created_at = excluded.client_created_at
             then c.first_given_at else excluded.first_given_at end,
           client_created_at = excluded.client_created_at,
           given_at = excluded.given_at, last_used_at = excluded.last_used_at",
    )
    .bind(tenant)
    .bind(subject)
    .bind(client)
    .bind(client_created_at)
    .bind(scopes)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that the client came with it.
pub(super) async fn mark_used(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: SubjectId,
    client: &ClientId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.consent set last_used_at = $4
         where tenant_id = $1 and subject_id = $2 and client_id = $3",
    )
    .bind(tenant)
    .bind(subject)
    .bind(client)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a member allowed to clients that there still are, by name.
pub(super) async fn list(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: SubjectId,
) -> Result<Vec<GivenConsent>, StoreError> {
    let listed = sqlx::query_as(
        "select s.client_id, c.name as client_name, s.scopes, s.first_given_at, s.last_used_at
         from identity.consent s
         join identity.client c on c.client_id = s.client_id
           and c.tenant_id = any (array[$1::uuid, $3::uuid])
           and c.created_at = s.client_created_at
         where s.tenant_id = $1 and s.subject_id = $2
         order by c.name, s.client_id
         limit 100",
    )
    .bind(tenant)
    .bind(subject)
    .bind(TenantId::PLATFORM)
    .fetch_all(tx.conn())
    .await?;
    Ok(listed)
}

/// Takes a yes back; false if there is none.
pub(super) async fn delete(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: SubjectId,
    client: &ClientId,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "delete from identity.consent
         where tenant_id = $1 and subject_id = $2 and client_id = $3",
    )
    .bind(tenant)
    .bind(subject)
    .bind(client)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
