//! `audit.review`, within one tenant.

use time::OffsetDateTime;

use super::model::Verdict;
use crate::db::{StoreError, Tenancy, Tx};
use crate::ids::{SubjectId, TenantId};

/// An entry that waits to be looked at.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Waiting {
    pub(super) leaf_index: i64,
    pub(super) recorded_at: OffsetDateTime,
    #[sqlx(rename = "type")]
    pub(super) event: String,
    pub(super) review: String,
    pub(super) subject_id: Option<SubjectId>,
}

/// Those that wait, oldest first: after `after`, `most` at most.
pub(super) async fn list_waiting(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Waiting>, StoreError> {
    let waiting = sqlx::query_as(
        "select r.leaf_index, r.recorded_at, r.type, audit.why_reviewed(r.type) as review,
                r.subject_id
         from audit.review r
         where r.tenant_id = $1 and r.signed_at is null and r.leaf_index > $2
         order by r.leaf_index
         limit $3",
    )
    .bind(tenant)
    .bind(after)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    Ok(waiting)
}

/// What came of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signing {
    /// It is signed now.
    Signed,
    /// It is about who wants to sign it.
    OwnDeed,
    /// It was signed before, or there is none.
    NothingWaits,
}

/// Signs one, once.
pub(super) async fn sign(
    tx: &mut Tx<Tenancy>,
    (tenant, index): (TenantId, i64),
    by: SubjectId,
    verdict: Verdict,
    at: OffsetDateTime,
) -> Result<Signing, StoreError> {
    let is_own: Option<bool> = sqlx::query_scalar(
        "select (r.subject_id = $3) is true
         from audit.review r
         where r.tenant_id = $1 and r.leaf_index = $2 and r.signed_at is null",
    )
    .bind(tenant)
    .bind(index)
    .bind(by)
    .fetch_optional(tx.conn())
    .await?;
    if is_own == Some(true) {
        return Ok(Signing::OwnDeed);
    }
    let done = sqlx::query(
        "update audit.review
         set signed_at = $4, signed_by = $3, verdict = $5
         where tenant_id = $1 and leaf_index = $2 and signed_at is null",
    )
    .bind(tenant)
    .bind(index)
    .bind(by)
    .bind(at)
    .bind(verdict.name())
    .execute(tx.conn())
    .await?;
    Ok(if done.rows_affected() == 1 {
        Signing::Signed
    } else {
        Signing::NothingWaits
    })
}
