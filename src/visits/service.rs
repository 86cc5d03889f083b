//! Listing visits, and planting synthetic ones.

use std::collections::HashMap;

use serde_json::json;

use super::model::Visit;
use super::store;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Job, StoreError, Tenancy, Tx};
use crate::ids::{SubjectId, TenantId};
use crate::tenancy::members::store as members;

/// More visits than a page shows.
const MOST_VISITS: i64 = 100;

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

/// The visits that the transaction's class of access shows; the reading is on the record.
pub async fn list(
    tx: &mut Tx<Tenancy>,
    app: &App,
    client_id: &str,
) -> Result<Vec<NamedVisit>, StoreError> {
    let tenant = tx.tenant()?;
    let visits = store::list(tx, tenant, MOST_VISITS).await?;
    let mut people: Vec<SubjectId> = visits
        .iter()
        .flat_map(|visit| [visit.patient, visit.practitioner])
        .collect();
    people.sort_unstable();
    people.dedup();
    let members = members::list_named(tx, tenant, &people).await?;
    let names: HashMap<SubjectId, String> = members
        .into_iter()
        .map(|member| (member.subject_id, member.display_name))
        .collect();
    let ids: Vec<_> = visits.iter().map(|visit| visit.id).collect();
    let detail = json!({ "visits": ids, "client_id": client_id });
    audit::append(tx, &app.env, &app.keys, EventType::VisitListed, detail).await?;
    let name = |who: SubjectId| names.get(&who).cloned().unwrap_or_default();
    let with_names = |visit: Visit| NamedVisit {
        patient_name: name(visit.patient),
        practitioner_name: name(visit.practitioner),
        visit,
    };
    Ok(visits.into_iter().map(with_names).collect())
}

/// Plants synthetic visits of one clinic: the demo's and the tests'.
pub async fn plant(app: &App, tenant: TenantId, visits: &[Visit]) -> Result<(), StoreError> {
    let authority = Authority::<Tenancy>::job_in(Job::SeedVisits, tenant);
    app.db
        .run(authority, async |tx| {
            for visit in visits {
                store::insert(tx, tenant, visit).await?;
            }
            Ok(())
        })
        .await
}
