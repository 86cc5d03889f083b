//! `audit.concern`, within one tenant.

use time::OffsetDateTime;

use crate::db::{StoreError, Tenancy, Tx};
use crate::ids::{SubjectId, TenantId};

/// One time that a patient's record was seen.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Seen {
    pub(super) leaf_index: i64,
    pub(super) recorded_at: OffsetDateTime,
    #[sqlx(rename = "type")]
    pub(super) event: String,
    pub(super) by_subject: SubjectId,
    pub(super) was_acted: bool,
    pub(super) actor_id: Option<SubjectId>,
}

/// Those before `before`, newest first, `most` at most.
pub(super) async fn list(
    tx: &mut Tx<Tenancy>,
    (tenant, patient): (TenantId, SubjectId),
    before: i64,
    most: i64,
) -> Result<Vec<Seen>, StoreError> {
    let seen = sqlx::query_as(
        "select leaf_index, recorded_at, type, by_subject, was_acted, actor_id
         from audit.concern
         where tenant_id = $1 and subject_id = $2 and leaf_index < $3
         order by leaf_index desc
         limit $4",
    )
    .bind(tenant)
    .bind(patient)
    .bind(before)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    Ok(seen)
}
