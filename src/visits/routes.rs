//! `/api/v1/visits`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::policy;
use super::service::{self, NamedVisit};
use crate::app::App;
use crate::db::{Authority, Tenancy};
use crate::http::problem::Problem;
use crate::ids::{SubjectId, VisitId};

/// In which role the caller looks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[serde(rename = "as")]
    as_class: Option<String>,
}

#[derive(Debug, Serialize)]
struct PersonBody {
    id: SubjectId,
    name: String,
}

#[derive(Debug, Serialize)]
struct VisitBody {
    id: VisitId,
    #[serde(with = "time::serde::rfc3339")]
    starts_at: OffsetDateTime,
    kind: &'static str,
    state: &'static str,
    patient: PersonBody,
    practitioner: PersonBody,
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

/// A list of visits on the wire.
#[derive(Debug, Serialize)]
pub struct VisitsBody {
    visits: Vec<VisitBody>,
}

/// `GET /api/v1/visits?as=`: the visits that one of the caller's roles shows, latest first.
pub async fn list(
    State(app): State<App>,
    caller: Verified,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<VisitsBody>, Problem> {
    let Ok(Query(query)) = query else {
        return Err(Problem::BadRequest { field: "as" });
    };
    let class = policy::may_list(caller.roles(), query.as_class.as_deref())
        .map_err(|policy::NotInThatRole| Problem::Forbidden)?;
    let authority = Authority::<Tenancy>::of(&caller, class);
    let visits = app
        .db
        .run(authority, async |tx| {
            service::list(tx, &app, caller.client_id()).await
        })
        .await?;
    Ok(Json(VisitsBody {
        visits: visits.into_iter().map(VisitBody::from).collect(),
    }))
}
