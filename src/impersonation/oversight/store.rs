//! `identity.impersonation` under class `overseer`.

use time::OffsetDateTime;

use crate::db::{Identity, StoreError, Tx};
use crate::impersonation::model::{Grant, ImpersonationId, Opened};
use crate::impersonation::store::GrantRow;

/// Those that are not over, newest first, five hundred at most.
pub(super) async fn list_open(tx: &mut Tx<Identity>) -> Result<Vec<Grant>, StoreError> {
    let rows: Vec<GrantRow> = sqlx::query_as(
        "select tenant_id, impersonation_id, subject_id, account_id, actor_id, actor_account_id,
                actor_name, reason, ticket, preset, minutes, rule, state, requested_at, start_by,
                started_at, ends_at, actor_session_id, ended_at, end_reason
         from identity.impersonation
         where ended_at is null and end_recorded_at is null
         order by requested_at desc, impersonation_id
         limit 500",
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// The newest hundred that are over, newest first.
pub(super) async fn list_over(tx: &mut Tx<Identity>) -> Result<Vec<Grant>, StoreError> {
    let rows: Vec<GrantRow> = sqlx::query_as(
        "select tenant_id, impersonation_id, subject_id, account_id, actor_id, actor_account_id,
                actor_name, reason, ticket, preset, minutes, rule, state, requested_at, start_by,
                started_at, ends_at, actor_session_id, ended_at, end_reason
         from identity.impersonation
         where ended_at is not null
         order by requested_at desc, impersonation_id
         limit 100",
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// What was opened under these grants, in whatever clinic, the latest first.
pub(super) async fn list_opened(
    tx: &mut Tx<Identity>,
    ids: &[ImpersonationId],
) -> Result<Vec<Opened>, StoreError> {
    let opened = sqlx::query_as(
        "select o.impersonation_id, o.method, o.route, sum(o.times)::bigint as times,
                max(o.last_at) as last_at
         from identity.impersonation i
         join identity.impersonation_opened o
           on o.tenant_id = i.tenant_id and o.impersonation_id = i.impersonation_id
         where i.impersonation_id = any ($1)
         group by o.impersonation_id, o.method, o.route
         order by max(o.last_at) desc, o.route
         limit 1000",
    )
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    Ok(opened)
}

/// Ends one that is not over, or all such at once; says how many.
pub(super) async fn end_open(
    tx: &mut Tx<Identity>,
    which: Option<ImpersonationId>,
    at: OffsetDateTime,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update identity.impersonation
         set state = 'ended', ended_at = $2, end_reason = 'by_operator'
         where ended_at is null and ($1::uuid is null or impersonation_id = $1)",
    )
    .bind(which)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Whether there is a grant of that id in any clinic.
pub(super) async fn exists(tx: &mut Tx<Identity>, id: ImpersonationId) -> Result<bool, StoreError> {
    let exists = sqlx::query_scalar(
        "select exists (select from identity.impersonation where impersonation_id = $1)",
    );
    Ok(exists.bind(id).fetch_one(tx.conn()).await?)
}
