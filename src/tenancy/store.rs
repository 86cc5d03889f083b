//! `tenancy.tenant`, as the platform sees it.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{NewTenant, Tenant, TenantStatus};
use crate::db::{Platform, StoreError, Tx};
use crate::ids::TenantId;

#[derive(sqlx::FromRow)]
struct TenantRow {
    tenant_id: TenantId,
    slug: String,
    name: String,
    accent: String,
    status: String,
    created_at: OffsetDateTime,
}

impl TryFrom<TenantRow> for Tenant {
    type Error = StoreError;

    fn try_from(row: TenantRow) -> Result<Self, StoreError> {
        let status = match row.status.as_str() {
            "active" => TenantStatus::Active,
            "suspended" => TenantStatus::Suspended,
            _ => {
                return Err(StoreError::Corrupt {
                    table: "tenancy.tenant",
                    what: "status",
                });
            }
        };
        Ok(Self {
            id: row.tenant_id,
            slug: row.slug,
            name: row.name,
            accent: row.accent,
            status,
            created_at: row.created_at,
        })
    }
}

/// Inserts a clinic; `false` if its slug is taken.
pub(super) async fn insert(
    tx: &mut Tx<Platform>,
    id: TenantId,
    new: &NewTenant,
    slug_locator: Uuid,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into tenancy.tenant
           (tenant_id, slug, slug_locator, name, accent, status, created_at)
         values ($1, $2, $3, $4, $5, 'active', $6)
         on conflict do nothing",
    )
    .bind(id)
    .bind(new.slug.as_str())
    .bind(slug_locator)
    .bind(new.name.as_str())
    .bind(new.accent)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The clinic of that slug.
pub(super) async fn find_by_slug(
    tx: &mut Tx<Platform>,
    slug: &str,
) -> Result<Option<Tenant>, StoreError> {
    let row: Option<TenantRow> = sqlx::query_as(
        "select tenant_id, slug, name, accent, status, created_at
         from tenancy.tenant
         where slug = $1",
    )
    .bind(slug)
    .fetch_optional(tx.conn())
    .await?;
    row.map(Tenant::try_from).transpose()
}

/// Clinics by slug, at most `most`, after `after`.
pub(super) async fn list(
    tx: &mut Tx<Platform>,
    after: &str,
    most: i64,
) -> Result<Vec<Tenant>, StoreError> {
    let rows: Vec<TenantRow> = sqlx::query_as(
        "select tenant_id, slug, name, accent, status, created_at
         from tenancy.tenant
         where slug > $1
         order by slug
         limit $2",
    )
    .bind(after)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Tenant::try_from).collect()
}

/// Gives the clinic another status; `false` if it has it already.
pub(super) async fn mark_status(
    tx: &mut Tx<Platform>,
    id: TenantId,
    status: TenantStatus,
) -> Result<bool, StoreError> {
    let done =
        sqlx::query("update tenancy.tenant set status = $2 where tenant_id = $1 and status <> $2")
            .bind(id)
            .bind(status.as_str())
            .execute(tx.conn())
            .await?;
    Ok(done.rows_affected() == 1)
}
