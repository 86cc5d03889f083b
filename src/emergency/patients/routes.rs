//! `/api/v1/emergency-accesses/patients` and `/api/v1/emergency-accesses/waiting`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{Object, Schema, Type};

use super::service;
use crate::app::App;
use crate::emergency::policy::View;
use crate::emergency::routes::{PersonBody, authority, himself};
use crate::http::problem::Problem;

/// Whom a clinician looks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeekQuery {
    name: String,
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

/// What the description of the API says of [`SeekQuery`].
pub fn parameters() -> Vec<Parameter> {
    let name = Object::builder()
        .schema_type(Type::String)
        .min_length(Some(*NAME_CHARACTERS.start()))
        .max_length(Some(*NAME_CHARACTERS.end()));
    let name = Parameter::builder()
        .name("name")
        .parameter_in(ParameterIn::Query)
        .required(Required::True)
        .description(Some("Part of a name, in any case."))
        .schema(Some(Schema::from(name.build())));
    vec![name.build()]
}

/// `GET /api/v1/emergency-accesses/patients?name=`: whom a clinician may mean. On the record.
pub async fn seek(
    State(app): State<App>,
    caller: Verified,
    query: Result<Query<SeekQuery>, QueryRejection>,
) -> Result<Json<FoundBody>, Problem> {
    let by = himself(&caller)?;
    let fits = |query: &SeekQuery| NAME_CHARACTERS.contains(&query.name.chars().count());
    let query = query.ok().filter(|Query(query)| fits(query));
    let Query(query) = query.ok_or(Problem::BadRequest { field: "name" })?;
    let run = app.db.run(authority(&caller, View::Own), async |tx| {
        service::seek_patient(tx, &app, by, &query.name).await
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
