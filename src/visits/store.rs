//! `visits.visit`.

use time::OffsetDateTime;

use super::model::{Visit, VisitKind, VisitState};
use crate::db::{StoreError, Tenancy, Tx};
use crate::ids::{SubjectId, TenantId, VisitId};

#[derive(sqlx::FromRow)]
struct VisitRow {
    visit_id: VisitId,
    patient_id: SubjectId,
    practitioner_id: SubjectId,
    starts_at: OffsetDateTime,
    kind: String,
    state: String,
    reason_sealed: Option<Vec<u8>>,
}

/// A visit whose reason is still ciphertext.
pub(super) struct StoredVisit {
    pub(super) visit: Visit,
    pub(super) reason_sealed: Option<Vec<u8>>,
}

impl TryFrom<VisitRow> for StoredVisit {
    type Error = StoreError;

    fn try_from(row: VisitRow) -> Result<Self, StoreError> {
        let corrupt = |what| StoreError::Corrupt {
            table: "visits.visit",
            what,
        };
        let visit = Visit {
            id: row.visit_id,
            patient: row.patient_id,
            practitioner: row.practitioner_id,
            starts_at: row.starts_at,
            kind: VisitKind::parse(&row.kind).ok_or(corrupt("kind"))?,
            state: VisitState::parse(&row.state).ok_or(corrupt("state"))?,
            reason: None,
        };
        Ok(Self {
            visit,
            reason_sealed: row.reason_sealed,
        })
    }
}

/// The visits that the transaction's class of access shows, latest first.
pub(super) async fn list(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    most: i64,
) -> Result<Vec<StoredVisit>, StoreError> {
    let rows: Vec<VisitRow> = sqlx::query_as(
        "select visit_id, patient_id, practitioner_id, starts_at, kind, state,
           reason_sealed
         from visits.visit
         where tenant_id = $1
         order by starts_at desc, visit_id
         limit $2",
    )
    .bind(tenant)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredVisit::try_from).collect()
}

/// One patient's visits, as far as the transaction's class and purpose show them, latest first.
pub(super) async fn list_of_patient(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    patient: SubjectId,
    most: i64,
) -> Result<Vec<StoredVisit>, StoreError> {
    let rows: Vec<VisitRow> = sqlx::query_as(
        "select visit_id, patient_id, practitioner_id, starts_at, kind, state, reason_sealed
         from visits.visit
         where tenant_id = $1 and patient_id = $2
         order by starts_at desc, visit_id
         limit $3",
    )
    .bind(tenant)
    .bind(patient)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredVisit::try_from).collect()
}

pub(super) async fn insert(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    visit: &Visit,
    reason_sealed: Option<&[u8]>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into visits.visit
           (tenant_id, visit_id, patient_id, practitioner_id, starts_at, kind, state,
            reason_sealed)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tenant)
    .bind(visit.id)
    .bind(visit.patient)
    .bind(visit.practitioner)
    .bind(visit.starts_at)
    .bind(visit.kind.name())
    .bind(visit.state.name())
    .bind(reason_sealed)
    .execute(tx.conn())
    .await?;
    Ok(())
}
