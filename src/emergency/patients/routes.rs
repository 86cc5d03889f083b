//! `/api/v1/emergency-accesses/patients` and `/api/v1/emergency-accesses/waiting`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::service;
use crate::app::App;
use crate::emergency::policy::View;
use crate::emergency::routes::{PersonBody, authority, himself};
use crate::http::problem::Problem;

/// Whom a clinician looks for. In a body: an address with a name would stand in every log on the
/// way.
#[derive(Deserialize, ToSchema)]
#[schema(as = SoughtPatient)]
#[serde(deny_unknown_fields)]
pub struct SoughtBody {
    /// Part of a name, in any case.
    #[schema(min_length = 3, max_length = 100)]
    name: String,
}

impl std::fmt::Debug for SoughtBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoughtBody").finish_non_exhaustive()
    }
}

/// Patients whose names hold what was asked for, by name: ten at most.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundPatients)]
pub struct FoundBody {
    patients: Vec<PersonBody>,
}

/// What waits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WaitingEmergencyReviews)]
pub struct WaitingBody {
    /// How many accesses wait for a review.
    #[schema(minimum = 0)]
    waiting: i64,
}

/// Fewest and most characters (Unicode scalar values) of a name that is looked for.
const NAME_CHARACTERS: std::ops::RangeInclusive<usize> = 3..=100;

/// `POST /api/v1/emergency-accesses/patients`: whom a clinician may mean. On the record.
pub async fn seek(
    State(app): State<App>,
    caller: Verified,
    sought: Result<Json<SoughtBody>, JsonRejection>,
) -> Result<Json<FoundBody>, Problem> {
    let by = himself(&caller)?;
    let Ok(Json(SoughtBody { name })) = sought else {
        return Err(Problem::BadRequest { field: "body" });
    };
    if !NAME_CHARACTERS.contains(&name.chars().count()) {
        return Err(Problem::BadRequest { field: "name" });
    }
    let run = app.db.run(authority(&caller, View::Own), async |tx| {
        service::seek_patient(tx, &app, by, &name).await
    });
    let found = run.await?.into_iter();
    Ok(Json(FoundBody {
        patients: found.map(|(id, name)| PersonBody { id, name }).collect(),
    }))
}

/// `GET /api/v1/emergency-accesses/waiting`: how many wait for a review.
pub async fn waiting(
    State(app): State<App>,
    caller: Verified,
) -> Result<Json<WaitingBody>, Problem> {
    himself(&caller)?;
    let authority = authority(&caller, View::Queue).read_only();
    let waiting = app
        .db
        .run(authority, async |tx| service::count_waiting(tx).await)
        .await?;
    Ok(Json(WaitingBody { waiting }))
}
