//! Listing visits, and planting synthetic ones.

use std::collections::HashMap;

use serde_json::json;

use super::model::Visit;
use super::store::{self, StoredVisit};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Job, StoreError, Tenancy, Tx};
use crate::emergency::service as emergency;
use crate::ids::{SubjectId, TenantId, VisitId};
use crate::keys::KeysError;
use crate::tenancy::data_key::StoredKey;
use crate::tenancy::data_key::{TenantKey, service as data_key};
use crate::tenancy::members::store as members;

/// More visits than a page shows.
const MOST_VISITS: i64 = 100;
/// What a reason is bound to, beside its clinic and visit.
const REASON: &str = "visits.visit.reason_sealed";

/// A visit with the names of its people, as the clinic calls them.
#[derive(Clone, Debug)]
pub struct NamedVisit {
    /// It.
    pub visit: Visit,
    /// The patient's name; empty if no member any more.
    pub patient_name: String,
    /// The practitioner's.
    pub practitioner_name: String,
}

/// Visits as stored, and the clinic's key: to be opened after the transaction.
#[derive(Debug)]
pub struct Listed {
    tenant: TenantId,
    key: Option<StoredKey>,
    visits: Vec<(NamedVisit, Option<Vec<u8>>)>,
}

/// The visits that the transaction's class of access shows. The reading must be on the record
/// before they are given: [`record_list`].
pub async fn list(tx: &mut Tx<Tenancy>) -> Result<Listed, StoreError> {
    let tenant = tx.tenant()?;
    let visits = store::list(tx, tenant, MOST_VISITS).await?;
    with_names(tx, tenant, visits).await
}

/// Puts on the record that these were read.
pub async fn record_list(
    tx: &mut Tx<Tenancy>,
    app: &App,
    client_id: &str,
    listed: &Listed,
) -> Result<(), StoreError> {
    let visits = || listed.visits.iter().map(|(named, _)| &named.visit);
    let ids: Vec<VisitId> = visits().map(|visit| visit.id).collect();
    let mut patients: Vec<_> = visits().map(|visit| visit.patient).collect();
    patients.sort_unstable();
    patients.dedup();
    let detail = json!({ "visits": ids, "patients": patients, "client_id": client_id });
    audit::append(tx, &app.env, &app.keys, EventType::VisitListed, detail).await
}

/// The visits of one patient, to a clinician who has opened her record; `None` if he has not, or
/// not any more. The reading is on the record, with the access that it was under.
pub async fn list_in_emergency(
    tx: &mut Tx<Tenancy>,
    app: &App,
    client_id: &str,
    (clinician, patient): (SubjectId, SubjectId),
) -> Result<Option<Listed>, StoreError> {
    let tenant = tx.tenant()?;
    let access = emergency::find_live(tx, &app.env, clinician, patient).await?;
    let Some(access) = access else {
        return Ok(None);
    };
    let visits = store::list_of_patient(tx, tenant, patient, MOST_VISITS).await?;
    let detail = json!({
        "access": access,
        "patients": [patient],
        "visits": ids(&visits),
        "client_id": client_id,
    });
    let event = EventType::EmergencyAccessRead;
    audit::append(tx, &app.env, &app.keys, event, detail).await?;
    with_names(tx, tenant, visits).await.map(Some)
}

fn ids(visits: &[StoredVisit]) -> Vec<VisitId> {
    visits.iter().map(|stored| stored.visit.id).collect()
}

async fn with_names(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    visits: Vec<StoredVisit>,
) -> Result<Listed, StoreError> {
    let mut people: Vec<SubjectId> = visits
        .iter()
        .flat_map(|stored| [stored.visit.patient, stored.visit.practitioner])
        .collect();
    people.sort_unstable();
    people.dedup();
    let members = members::list_named(tx, tenant, &people).await?;
    let names: HashMap<SubjectId, String> = members
        .into_iter()
        .map(|member| (member.subject_id, member.display_name))
        .collect();
    let name = |who: SubjectId| names.get(&who).cloned().unwrap_or_default();
    let with_names = |stored: StoredVisit| {
        let visit = stored.visit;
        let with_people = NamedVisit {
            patient_name: name(visit.patient),
            practitioner_name: name(visit.practitioner),
            visit,
        };
        (with_people, stored.reason_sealed)
    };
    Ok(Listed {
        tenant,
        key: data_key::find(tx, tenant).await?,
        visits: visits.into_iter().map(with_names).collect(),
    })
}

/// Opens what the clinic's key sealed; a destroyed key leaves the reasons out.
pub async fn reveal(app: &App, listed: Listed) -> Result<Vec<NamedVisit>, StoreError> {
    let Listed {
        tenant,
        key,
        mut visits,
    } = listed;
    if visits.iter().any(|(_, sealed)| sealed.is_some())
        && let Some(key) = data_key::open(&app.keys, tenant, key).await?
    {
        for (named, sealed) in &mut visits {
            named.visit.reason = reason(&key, &named.visit, sealed.as_deref())?;
        }
    }
    Ok(visits.into_iter().map(|(named, _)| named).collect())
}

fn reason(
    key: &TenantKey,
    visit: &Visit,
    sealed: Option<&[u8]>,
) -> Result<Option<String>, StoreError> {
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let opened = key.open(REASON, visit.id.as_uuid(), sealed);
    opened
        .map(|text| Some(text.as_str().to_owned()))
        .ok_or(StoreError::Corrupt {
            table: "visits.visit",
            what: "reason",
        })
}

/// Plants synthetic visits of one clinic: the demo's and the tests'.
pub async fn plant(app: &App, tenant: TenantId, visits: &[Visit]) -> Result<(), KeysError> {
    data_key::ensure(&app.db, &app.env, &app.keys, tenant).await?;
    let authority = || Authority::<Tenancy>::job_in(Job::SeedVisits, tenant);
    let stored = app.db.run(authority().read_only(), async |tx| {
        data_key::find(tx, tenant).await
    });
    let key = data_key::open(&app.keys, tenant, stored.await?).await?;
    let seal = |visit: &Visit| {
        let (key, reason) = (key.as_ref()?, visit.reason.as_deref()?);
        Some(key.seal(&app.env, REASON, visit.id.as_uuid(), reason))
    };
    let planted = app.db.run(authority(), async |tx| {
        for visit in visits {
            store::insert(tx, tenant, visit, seal(visit).as_deref()).await?;
        }
        Ok(())
    });
    planted.await.map_err(KeysError::Store)
}
