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
}

impl TryFrom<VisitRow> for Visit {
    type Error = StoreError;

    fn try_from(row: VisitRow) -> Result<Self, StoreError> {
        let corrupt = |what| StoreError::Corrupt {
            table: "visits.visit",
            what,
        };
        Ok(Self {
            id: row.visit_id,
            patient: row.patient_id,
            practitioner: row.practitioner_id,
            starts_at: row.starts_at,
            kind: VisitKind::parse(&row.kind).ok_or(corrupt("kind"))?,
            state: VisitState::parse(&row.state).ok_or(corrupt("state"))?,
        })
    }
}

/// The visits that the transaction's class of access shows, latest first.
pub(super) async fn list(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    most: i64,
) -> Result<Vec<Visit>, StoreError> {
    let rows: Vec<VisitRow> = sqlx::query_as(
        "select visit_id, patient_id, practitioner_id, starts_at, kind, state
         from visits.visit
         where tenant_id = $1
         order by starts_at desc, visit_id
         limit $2",
    )
    .bind(tenant)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Visit::try_from).collect()
}

pub(super) async fn insert(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    visit: &Visit,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into visits.visit
           (tenant_id, visit_id, patient_id, practitioner_id, starts_at, kind, state)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant)
    .bind(visit.id)
    .bind(visit.patient)
    .bind(visit.practitioner)
    .bind(visit.starts_at)
    .bind(visit.kind.name())
    .bind(visit.state.name())
    .execute(tx.conn())
    .await?;
    Ok(())
}
