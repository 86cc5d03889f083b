//! `/api/v1/visits`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, Object, Schema, SchemaFormat, Type};

use super::model::{VisitKind, VisitState};
use super::policy::{self, MayNot};
use super::service::{self, Listed, NamedVisit};
use crate::app::App;
use crate::db::{Authority, Tenancy, Tx};
use crate::http::problem::Problem;
use crate::ids::{SubjectId, VisitId};

/// In which role the caller looks, and in an emergency at whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[serde(rename = "as")]
    as_look: Option<String>,
    patient: Option<SubjectId>,
}

/// Somebody of a visit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person)]
struct PersonBody {
    /// Her `sub` in this clinic.
    #[schema(value_type = Uuid)]
    id: SubjectId,
    /// As the clinic calls her.
    #[schema(examples("Ada Quill"))]
    name: String,
}

/// One telehealth encounter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Visit)]
struct VisitBody {
    #[schema(value_type = Uuid)]
    id: VisitId,
    /// UTC.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(examples("2026-03-02T14:30:00Z"))]
    starts_at: OffsetDateTime,
    /// How they meet.
    #[schema(schema_with = kinds)]
    kind: &'static str,
    /// How far it is.
    #[schema(schema_with = states)]
    state: &'static str,
    reason: Option<String>,
    patient: PersonBody,
    practitioner: PersonBody,
}

fn kinds() -> Schema {
    one_of(VisitKind::ALL.map(VisitKind::name))
}

fn states() -> Schema {
    one_of(VisitState::ALL.map(VisitState::name))
}

fn one_of<const N: usize>(words: [&'static str; N]) -> Schema {
    let object = Object::builder().schema_type(Type::String);
    object.enum_values(Some(words)).build().into()
}

/// What the description of the API says of [`ListQuery`].
pub fn parameters() -> Vec<Parameter> {
    let look = Parameter::builder()
        .name("as")
        .parameter_in(ParameterIn::Query)
        .description(Some(
            "In which of her roles the caller looks. Without it, in the one that shows least. \
             `emergency`: a clinician, at one patient whose record he has opened.",
        ))
        .schema(Some(one_of(policy::LOOK_NAMES)));
    let id = Object::builder()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
    let patient = Parameter::builder()
        .name("patient")
        .parameter_in(ParameterIn::Query)
        .description(Some("With `as=emergency`, and then always: whose visits."))
        .schema(Some(Schema::from(id.build())));
    vec![look.build(), patient.build()]
}

impl From<NamedVisit> for VisitBody {
    fn from(named: NamedVisit) -> Self {
        let NamedVisit {
            visit,
            patient_name,
            practitioner_name,
        } = named;
        Self {
            id: visit.id,
            starts_at: visit.starts_at,
            kind: visit.kind.name(),
            state: visit.state.name(),
            reason: visit.reason,
            patient: PersonBody {
                id: visit.patient,
                name: patient_name,
            },
            practitioner: PersonBody {
                id: visit.practitioner,
                name: practitioner_name,
            },
        }
    }
}

/// Visits, the latest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Visits)]
pub struct VisitsBody {
    visits: Vec<VisitBody>,
}

/// `GET /api/v1/visits?as=&patient=`: the visits that one of the caller's roles shows, latest
/// first.
pub async fn list(
    State(app): State<App>,
    caller: Verified,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<VisitsBody>, Problem> {
    let Ok(Query(query)) = query else {
        return Err(Problem::BadRequest { field: "as" });
    };
    let is_acted = caller.actor().is_some();
    let asked = query.as_look.as_deref();
    let look =
        policy::may_list(caller.roles(), asked, query.patient, is_acted).map_err(
            |why| match why {
                MayNot::NoSuchLook => Problem::BadRequest { field: "as" },
                MayNot::OfNoPatient => Problem::BadRequest { field: "patient" },
                MayNot::NotInThatRole => Problem::Forbidden,
                MayNot::Acted => Problem::Acted,
            },
        )?;
    let authority = Authority::<Tenancy>::of(&caller, look.class).to(look.purpose);
    let by = SubjectId::from_uuid(caller.subject().as_uuid());
    let client_id = caller.client_id();
    let listed = if let Some(patient) = look.patient {
        let whom = (by, patient);
        let read = async |tx: &mut Tx<Tenancy>| {
            service::list_in_emergency(tx, &app, client_id, whom).await
        };
        app.db.run(authority, read).await?
    } else {
        let record = async |tx: &mut Tx<Tenancy>, listed: &Listed| {
            service::record_list(tx, &app, client_id, listed).await
        };
        Some(
            app.db
                .read_on_record(authority, service::list, record)
                .await?,
        )
    };
    let listed = listed.ok_or(Problem::NotFound)?;
    let visits = service::reveal(&app, listed).await?;
    Ok(Json(VisitsBody {
        visits: visits.into_iter().map(VisitBody::from).collect(),
    }))
}
