//! `identity.sessions_end`, and what an end has left.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Counts, Standing};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::TenantId;

/// Says until when nothing is good.
pub(super) async fn insert(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    order: Uuid,
    until: OffsetDateTime,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.sessions_end (tenant_id, order_id, ended_at, reason)
         values ($1, $2, $3, $4)",
    )
    .bind(tenant)
    .bind(order)
    .bind(until)
    .bind(reason)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The transaction from which on everyone sees what this one's snapshot sees: whoever wrote without
/// seeing it has an older one.
pub(super) async fn horizon(tx: &mut Tx<Identity>) -> Result<String, StoreError> {
    let horizon = sqlx::query_scalar("select pg_snapshot_xmax(pg_current_snapshot())::text")
        .fetch_one(tx.conn())
        .await?;
    Ok(horizon)
}

/// What still lives of before an end.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(super) struct Left {
    sessions: i64,
    families: i64,
    is_under_way: bool,
    /// Support's grants, which the noun of those counts.
    #[sqlx(skip)]
    pub(super) impersonations: u64,
}

impl Left {
    /// Sessions, families and grants of support's together.
    pub(super) const fn count(self) -> u64 {
        self.sessions.unsigned_abs() + self.families.unsigned_abs() + self.impersonations
    }

    /// Whether there is nothing, and nothing can come to be seen any more.
    pub(super) const fn is_nothing(self) -> bool {
        self.count() == 0 && !self.is_under_way
    }
}

/// Counts the sessions of a clinic that began until then and live, and the families that live on a
/// session that it ended; and whether somebody is still writing who did not see the end.
///
/// - `horizon`: as [`horizon`] said after the end was written
pub(super) async fn count_left(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    until: OffsetDateTime,
    horizon: &str,
) -> Result<Left, StoreError> {
    let left = sqlx::query_as(
        "select
           (select count(*) from identity.tenant_session o
            where o.tenant_id = $1 and o.ended_at is null and o.opened_at <= $2) as sessions,
           (select count(*) from identity.token_family f
            join identity.tenant_session o
              on o.tenant_id = f.tenant_id and o.session_id = f.session_id
            where f.tenant_id = $1 and f.ended_at is null and o.ended_at is not null) as families,
           pg_snapshot_xmin(pg_current_snapshot()) < $3::text::xid8 as is_under_way",
    )
    .bind(tenant)
    .bind(until)
    .bind(horizon)
    .fetch_one(tx.conn())
    .await?;
    Ok(left)
}

/// Says that nothing was left.
pub(super) async fn insert_proof(
    tx: &mut Tx<Identity>,
    (tenant, order): (TenantId, Uuid),
    ended: Counts,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let count = |counted: u64| i64::try_from(counted).unwrap_or(i64::MAX);
    sqlx::query(
        "insert into identity.sessions_end_proof
           (tenant_id, order_id, completed_at, sessions, families, codes)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant)
    .bind(order)
    .bind(at)
    .bind(count(ended.sessions))
    .bind(count(ended.families))
    .bind(count(ended.codes))
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct OrderRow {
    tenant_id: TenantId,
    order_id: Uuid,
    ended_at: OffsetDateTime,
    reason: String,
    completed_at: Option<OffsetDateTime>,
    sessions: Option<i64>,
    families: Option<i64>,
    codes: Option<i64>,
}

/// The newest fifty of all clinics.
pub(super) async fn list(tx: &mut Tx<Identity>) -> Result<Vec<Standing>, StoreError> {
    let rows: Vec<OrderRow> = sqlx::query_as(
        "select e.tenant_id, e.order_id, e.ended_at, e.reason, p.completed_at, p.sessions,
                p.families, p.codes
         from identity.sessions_end e
         left join identity.sessions_end_proof p
           on p.tenant_id = e.tenant_id and p.order_id = e.order_id
         order by e.ended_at desc, e.order_id
         limit 50",
    )
    .fetch_all(tx.conn())
    .await?;
    let count = |counted: Option<i64>| counted.unwrap_or_default().unsigned_abs();
    let standing = |row: OrderRow| Standing {
        id: row.order_id,
        tenant: row.tenant_id,
        reason: row.reason,
        until: row.ended_at,
        completed: row.completed_at.map(|at| {
            let counts = Counts {
                sessions: count(row.sessions),
                families: count(row.families),
                codes: count(row.codes),
            };
            (at, counts)
        }),
    };
    Ok(rows.into_iter().map(standing).collect())
}
