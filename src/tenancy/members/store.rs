//! `tenancy.tenant` and the view `tenancy.member`, within one tenant.

use super::model::{ClinicFacts, MemberFacts};
use crate::db::{StoreError, Tenancy, Tx};
use crate::ids::{SubjectId, TenantId};

/// The clinic of the transaction.
pub(crate) async fn find_clinic(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
) -> Result<Option<ClinicFacts>, StoreError> {
    let clinic = sqlx::query_as(
        "select tenant_id, slug, name, accent, status
         from tenancy.tenant
         where tenant_id = $1",
    )
    .bind(tenant)
    .fetch_optional(tx.conn())
    .await?;
    Ok(clinic)
}

/// The members by name, `most` at most.
pub(crate) async fn list(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    most: i64,
) -> Result<Vec<MemberFacts>, StoreError> {
    let members = sqlx::query_as(
        "select subject_id, display_name, status, roles
         from tenancy.member
         where tenant_id = $1
         order by display_name, subject_id
         limit $2",
    )
    .bind(tenant)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    Ok(members)
}

/// Active patients with that in their names, as the clinic calls them; whatever the case, by name,
/// `most` at most.
pub(crate) async fn list_patients(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    part: &str,
    most: i64,
) -> Result<Vec<MemberFacts>, StoreError> {
    let members = sqlx::query_as(
        "select subject_id, display_name, status, roles
         from tenancy.member
         where tenant_id = $1 and status = 'active' and 'patient' = any (roles)
           and position(lower($2) in lower(display_name)) > 0
         order by display_name, subject_id
         limit $3",
    )
    .bind(tenant)
    .bind(part)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    Ok(members)
}

/// Those of the members that are named.
pub(crate) async fn list_named(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    subjects: &[SubjectId],
) -> Result<Vec<MemberFacts>, StoreError> {
    let members = sqlx::query_as(
        "select subject_id, display_name, status, roles
         from tenancy.member
         where tenant_id = $1 and subject_id = any($2)",
    )
    .bind(tenant)
    .bind(subjects.iter().map(|s| s.as_uuid()).collect::<Vec<_>>())
    .fetch_all(tx.conn())
    .await?;
    Ok(members)
}
