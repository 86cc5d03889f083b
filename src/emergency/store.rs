//! `visits.emergency_access`, within one tenant.

use time::OffsetDateTime;

use super::model::{EmergencyAccess, Finding, Reason, Review};
use crate::db::{StoreError, Tenancy, Tx};
use crate::ids::{EmergencyId, SubjectId, TenantId};

#[derive(sqlx::FromRow)]
struct AccessRow {
    access_id: EmergencyId,
    clinician_id: SubjectId,
    patient_id: SubjectId,
    reason: String,
    why_sealed: Vec<u8>,
    opened_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    closed_at: Option<OffsetDateTime>,
    reviewed_at: Option<OffsetDateTime>,
    reviewed_by: Option<SubjectId>,
    finding: Option<String>,
    note_sealed: Option<Vec<u8>>,
}

/// An access whose words are still ciphertext.
pub(super) struct StoredAccess {
    pub(super) access: EmergencyAccess,
    pub(super) why_sealed: Vec<u8>,
    pub(super) note_sealed: Option<Vec<u8>>,
}

impl TryFrom<AccessRow> for StoredAccess {
    type Error = StoreError;

    fn try_from(row: AccessRow) -> Result<Self, StoreError> {
        let corrupt = |what| StoreError::Corrupt {
            table: "visits.emergency_access",
            what,
        };
        let review = match (row.reviewed_at, row.reviewed_by, row.finding) {
            (Some(at), Some(by), Some(finding)) => Some(Review {
                at,
                by,
                finding: Finding::parse(&finding).ok_or(corrupt("finding"))?,
            }),
            (None, None, None) => None,
            _ => return Err(corrupt("half a review")),
        };
        let access = EmergencyAccess {
            id: row.access_id,
            clinician: row.clinician_id,
            patient: row.patient_id,
            reason: Reason::parse(&row.reason).ok_or(corrupt("reason"))?,
            opened_at: row.opened_at,
            expires_at: row.expires_at,
            closed_at: row.closed_at,
            review,
        };
        Ok(Self {
            access,
            why_sealed: row.why_sealed,
            note_sealed: row.note_sealed,
        })
    }
}

/// Opens an access; `false` if the clinician has one open to that patient already.
pub(super) async fn insert(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    access: &EmergencyAccess,
    why_sealed: &[u8],
) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "insert into visits.emergency_access
           (tenant_id, access_id, clinician_id, patient_id, reason, why_sealed, opened_at,
            expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(access.id)
    .bind(access.clinician)
    .bind(access.patient)
    .bind(access.reason.as_str())
    .bind(why_sealed)
    .bind(access.opened_at)
    .bind(access.expires_at)
    .execute(tx.conn())
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Closes what has expired of a clinician's to a patient, as of its end: another can be opened.
pub(super) async fn close_expired(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    (clinician, patient): (SubjectId, SubjectId),
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update visits.emergency_access set closed_at = expires_at
         where tenant_id = $1 and clinician_id = $2 and patient_id = $3
           and closed_at is null and reviewed_at is null and expires_at <= $4",
    )
    .bind(tenant)
    .bind(clinician)
    .bind(patient)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The access under which a clinician reads a patient's record now.
pub(super) async fn find_live(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    (clinician, patient): (SubjectId, SubjectId),
    now: OffsetDateTime,
) -> Result<Option<EmergencyId>, StoreError> {
    let found = sqlx::query_scalar(
        "select access_id from visits.emergency_access
         where tenant_id = $1 and clinician_id = $2 and patient_id = $3
           and closed_at is null and reviewed_at is null and expires_at > $4",
    )
    .bind(tenant)
    .bind(clinician)
    .bind(patient)
    .bind(now)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found)
}

/// One, if the transaction may see it.
pub(super) async fn find(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    id: EmergencyId,
) -> Result<Option<StoredAccess>, StoreError> {
    let row: Option<AccessRow> = sqlx::query_as(
        "select access_id, clinician_id, patient_id, reason, why_sealed, opened_at, expires_at,
                closed_at, reviewed_at, reviewed_by, finding, note_sealed
         from visits.emergency_access
         where tenant_id = $1 and access_id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    row.map(StoredAccess::try_from).transpose()
}

/// A clinician's that are open now, the oldest first.
pub(super) async fn list_open(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    clinician: SubjectId,
    now: OffsetDateTime,
    most: i64,
) -> Result<Vec<StoredAccess>, StoreError> {
    let rows: Vec<AccessRow> = sqlx::query_as(
        "select access_id, clinician_id, patient_id, reason, why_sealed, opened_at, expires_at,
                closed_at, reviewed_at, reviewed_by, finding, note_sealed
         from visits.emergency_access
         where tenant_id = $1 and clinician_id = $2
           and closed_at is null and reviewed_at is null and expires_at > $3
         order by opened_at, access_id
         limit $4",
    )
    .bind(tenant)
    .bind(clinician)
    .bind(now)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredAccess::try_from).collect()
}

/// Those that wait for their review, the oldest first.
pub(super) async fn list_unreviewed(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    most: i64,
) -> Result<Vec<StoredAccess>, StoreError> {
    let rows: Vec<AccessRow> = sqlx::query_as(
        "select access_id, clinician_id, patient_id, reason, why_sealed, opened_at, expires_at,
                closed_at, reviewed_at, reviewed_by, finding, note_sealed
         from visits.emergency_access
         where tenant_id = $1 and reviewed_at is null
         order by opened_at, access_id
         limit $2",
    )
    .bind(tenant)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredAccess::try_from).collect()
}

/// How many wait for their review.
pub(in crate::emergency) async fn count_unreviewed(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar(
        "select count(*) from visits.emergency_access
         where tenant_id = $1 and reviewed_at is null",
    )
    .bind(tenant)
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Closes a clinician's own before its time; `false` if it is over already, or none of his.
pub(super) async fn mark_closed(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    id: EmergencyId,
    clinician: SubjectId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let closed = sqlx::query(
        "update visits.emergency_access set closed_at = $4
         where tenant_id = $1 and access_id = $2 and clinician_id = $3
           and closed_at is null and reviewed_at is null and expires_at > $4",
    )
    .bind(tenant)
    .bind(id)
    .bind(clinician)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(closed.rows_affected() == 1)
}

/// Signs off one that is over, and another's; `false` if somebody did before.
pub(super) async fn mark_reviewed(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    id: EmergencyId,
    review: &Review,
    note_sealed: Option<&[u8]>,
) -> Result<bool, StoreError> {
    let reviewed = sqlx::query(
        "update visits.emergency_access
         set reviewed_at = $3, reviewed_by = $4, finding = $5, note_sealed = $6
         where tenant_id = $1 and access_id = $2
           and reviewed_at is null and clinician_id <> $4 and least(closed_at, expires_at) <= $3",
    )
    .bind(tenant)
    .bind(id)
    .bind(review.at)
    .bind(review.by)
    .bind(review.finding.as_str())
    .bind(note_sealed)
    .execute(tx.conn())
    .await?;
    Ok(reviewed.rows_affected() == 1)
}
