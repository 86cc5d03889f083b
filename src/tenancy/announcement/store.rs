//! `tenancy.announcement`, within one tenant.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Announcement, AnnouncementText};
use crate::db::{StoreError, Tenancy, Tx};
use crate::ids::{SubjectId, TenantId};

/// What the clinic says just now.
pub(crate) async fn find(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
) -> Result<Option<Announcement>, StoreError> {
    let found = sqlx::query_as(
        "select body, written_at
         from tenancy.announcement
         where tenant_id = $1
         order by written_at desc
         limit 1",
    )
    .bind(tenant)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found)
}

/// Says something else from now on.
pub(super) async fn insert(
    tx: &mut Tx<Tenancy>,
    (tenant, id): (TenantId, Uuid),
    text: &AnnouncementText,
    by: SubjectId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into tenancy.announcement
           (tenant_id, announcement_id, body, written_by, written_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(tenant)
    .bind(id)
    .bind(text.as_str())
    .bind(by)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}
