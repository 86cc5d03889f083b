//! Finding a patient by name, on the record, and counting what waits.

use serde_json::json;

use crate::app::App;
use crate::audit::EventType;
use crate::db::{StoreError, Tenancy, Tx};
use crate::emergency::service::{Caller, record};
use crate::emergency::store;
use crate::ids::SubjectId;
use crate::tenancy::members::store as members;

/// Whoever finds more has to say more of the name.
const MOST_FOUND: i64 = 10;

/// Patients whom a clinician may mean, by part of a name, without himself; whom he found is on the
/// record.
pub async fn seek_patient(
    tx: &mut Tx<Tenancy>,
    app: &App,
    by: Caller<'_>,
    part: &str,
) -> Result<Vec<(SubjectId, String)>, StoreError> {
    let tenant = tx.tenant()?;
    let found = members::list_patients(tx, tenant, part, MOST_FOUND).await?;
    let found: Vec<_> = found
        .into_iter()
        .filter(|member| member.subject_id != by.subject)
        .map(|member| (member.subject_id, member.display_name))
        .collect();
    let detail = json!({
        "patients": found.iter().map(|(subject, _)| subject).collect::<Vec<_>>(),
        "client_id": by.client_id,
    });
    record(tx, app, EventType::EmergencyAccessPatientSought, detail).await?;
    Ok(found)
}

/// How many accesses of the clinic wait for their review: a number, and nothing of them.
pub async fn count_waiting(tx: &mut Tx<Tenancy>) -> Result<i64, StoreError> {
    let tenant = tx.tenant()?;
    store::count_unreviewed(tx, tenant).await
}
