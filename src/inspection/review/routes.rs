//! `/api/v1/audit/reviews`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{Object, Schema, Type};

use super::model::Verdict;
use super::store::{self, Signing, Waiting};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{AccessClass, Authority, StoreError, Tenancy};
use crate::http::problem::Problem;
use crate::ids::SubjectId;
use crate::inspection::page::{self, Page};
use crate::inspection::routes::{LARGEST, number};

/// Which page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewQuery {
    after: Option<i64>,
}

/// What the description of the API says of [`ReviewQuery`].
pub fn list_parameters() -> Vec<Parameter> {
    vec![number(
        "after",
        0..=LARGEST,
        "Those after this index; without it the oldest.",
    )]
}

/// What it says of [`Place`].
pub fn sign_parameters() -> Vec<Parameter> {
    let index = Object::builder()
        .schema_type(Type::Integer)
        .minimum(Some(0));
    let place = Parameter::builder()
        .name("index")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The entry's place in the clinic's log."))
        .schema(Some(index.build()));
    vec![place.build()]
}

/// Entries of the log that wait to be looked at, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reviews)]
pub struct ReviewsBody {
    /// `after` of the next page; null on the last.
    next: Option<i64>,
    reviews: Vec<ReviewBody>,
}

/// One entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Review)]
struct ReviewBody {
    /// Its place in the clinic's log.
    index: i64,
    #[serde(rename = "type")]
    #[schema(examples("refresh.reuse_detected"))]
    event: String,
    /// Why somebody has to look: `access`, `factor`, `privilege`, `session` or `sign_in`.
    #[schema(examples("session"))]
    why: String,
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
    /// Whom it is about; null if that is nobody known.
    #[schema(value_type = Option<Uuid>)]
    subject: Option<SubjectId>,
}

impl From<Waiting> for ReviewBody {
    fn from(waiting: Waiting) -> Self {
        Self {
            index: waiting.leaf_index,
            event: waiting.event,
            why: waiting.review,
            recorded_at: waiting.recorded_at,
            subject: waiting.subject_id,
        }
    }
}

/// Which entry; beside the clinic, where the path names it too.
#[derive(Debug, Deserialize)]
pub struct Place {
    index: i64,
}

/// What who looked at it says.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewSignature)]
#[serde(deny_unknown_fields)]
pub struct SignatureWanted {
    #[schema(schema_with = verdicts)]
    verdict: String,
}

fn verdicts() -> Schema {
    let object = Object::builder().schema_type(Type::String);
    object
        .enum_values(Some(Verdict::ALL.map(Verdict::name)))
        .build()
        .into()
}

/// That it is signed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Signature)]
pub struct SignatureBody {
    index: i64,
    #[schema(schema_with = verdicts)]
    verdict: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    signed_at: OffsetDateTime,
}

/// `GET /api/v1/audit/reviews?after=`: what waits to be looked at.
pub async fn list(
    State(app): State<App>,
    caller: Verified,
    query: Result<Query<ReviewQuery>, QueryRejection>,
) -> Result<Json<ReviewsBody>, Problem> {
    let Ok(Query(query)) = query else {
        return Err(Problem::BadRequest { field: "after" });
    };
    if !query.after.is_none_or(|at| (0..=LARGEST).contains(&at)) {
        return Err(Problem::BadRequest { field: "after" });
    }
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::Auditor);
    let waiting = app
        .db
        .run(authority.read_only(), async |tx| {
            let tenant = tx.tenant()?;
            let after = query.after.unwrap_or(-1);
            store::list_waiting(tx, tenant, after, page::ASKED).await
        })
        .await?;
    let page = Page::of(waiting, |one| one.leaf_index);
    Ok(Json(ReviewsBody {
        next: page.next,
        reviews: page.rows.into_iter().map(ReviewBody::from).collect(),
    }))
}

/// `POST /api/v1/audit/reviews/{index}`: somebody looked at it. Once, and never at her own deed.
pub async fn sign(
    State(app): State<App>,
    caller: Verified,
    place: Result<Path<Place>, PathRejection>,
    wanted: Result<Json<SignatureWanted>, JsonRejection>,
) -> Result<Json<SignatureBody>, Problem> {
    let Ok(Path(Place { index })) = place else {
        return Err(Problem::NotFound);
    };
    let verdict = wanted
        .ok()
        .and_then(|Json(wanted)| Verdict::named(&wanted.verdict))
        .ok_or(Problem::BadRequest { field: "verdict" })?;
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::Auditor);
    let by = SubjectId::from_uuid(caller.subject().as_uuid());
    let at = app.env.now();
    let signing = app
        .db
        .run(authority, async |tx| {
            let tenant = tx.tenant()?;
            let signing = store::sign(tx, (tenant, index), by, verdict, at).await?;
            if signing == Signing::Signed {
                let detail = json!({
                    "index": index,
                    "verdict": verdict.name(),
                    "client_id": caller.client_id(),
                });
                audit::append(tx, &app.env, &app.keys, EventType::ReviewSigned, detail).await?;
            }
            Ok::<_, StoreError>(signing)
        })
        .await?;
    match signing {
        Signing::Signed => Ok(Json(SignatureBody {
            index,
            verdict: verdict.name(),
            signed_at: at,
        })),
        Signing::OwnDeed => Err(Problem::Forbidden),
        Signing::NothingWaits => Err(Problem::NotFound),
    }
}
