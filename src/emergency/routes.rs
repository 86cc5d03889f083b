//! `/api/v1/emergency-accesses`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, Object, Schema, SchemaFormat, Type};

use super::model::{Finding, Reason, TypedText};
use super::policy::{self, MayNot, ReviewRefusal, View};
use super::service::{self, Caller, Judged, Key, Loaded, Opened, Reviewed, Shown};
use crate::app::App;
use crate::db::{Authority, Tenancy};
use crate::http::problem::Problem;
use crate::ids::{EmergencyId, SubjectId};
use crate::tenancy::data_key::TenantKey;

/// Whose accesses the caller looks at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[serde(rename = "as")]
    as_view: Option<String>,
}

/// The access of a path.
#[derive(Debug, Deserialize)]
pub struct Which {
    id: EmergencyId,
}

/// An access to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewEmergencyAccess)]
#[serde(deny_unknown_fields)]
pub struct NewAccess {
    /// The patient's `sub` in this clinic.
    #[schema(value_type = Uuid)]
    patient: SubjectId,
    #[schema(schema_with = reasons)]
    reason: String,
    /// Why, in the clinician's own words: 10 to 500 characters. Kept as ciphertext, shown to who
    /// reviews.
    #[schema(
        min_length = 10,
        max_length = 500,
        pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]\
                   [^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f]{8,498}\
                   [^\\s\\u0000-\\u001f\\u007f-\\u009f]$"
    )]
    why: String,
}

/// What a reviewer signs.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EmergencyReview)]
#[serde(deny_unknown_fields)]
pub struct NewReview {
    #[schema(schema_with = findings)]
    finding: String,
    /// 10 to 500 characters; asked for unless the finding is `appropriate`.
    #[schema(
        min_length = 10,
        max_length = 500,
        pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]\
                   [^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f]{8,498}\
                   [^\\s\\u0000-\\u001f\\u007f-\\u009f]$"
    )]
    note: Option<String>,
}

/// Somebody of an access.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmergencyPerson)]
pub(super) struct PersonBody {
    /// The `sub` in this clinic.
    #[schema(value_type = Uuid)]
    pub(super) id: SubjectId,
    /// As the clinic calls her.
    #[schema(examples("Ada Quill"))]
    pub(super) name: String,
}

/// One clinician's access to one patient's record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmergencyAccess)]
pub struct AccessBody {
    #[schema(value_type = Uuid)]
    id: EmergencyId,
    clinician: PersonBody,
    patient: PersonBody,
    #[schema(schema_with = reasons)]
    reason: &'static str,
    /// Why, in the clinician's own words; null once the clinic's data is destroyed.
    why: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    opened_at: OffsetDateTime,
    /// Until when at most.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// When the clinician closed it, if that was before.
    #[serde(with = "time::serde::rfc3339::option")]
    closed_at: Option<OffsetDateTime>,
    /// Null while it waits.
    review: Option<ReviewBody>,
}

/// A review.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedEmergencyReview)]
struct ReviewBody {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The `sub` of who signed.
    #[schema(value_type = Uuid)]
    by: SubjectId,
    #[schema(schema_with = findings)]
    finding: &'static str,
    note: Option<String>,
}

/// Accesses, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmergencyAccesses)]
pub struct AccessesBody {
    accesses: Vec<AccessBody>,
}

fn one_of(words: impl IntoIterator<Item = &'static str>) -> Schema {
    let object = Object::builder().schema_type(Type::String);
    object.enum_values(Some(words)).build().into()
}

fn reasons() -> Schema {
    one_of(Reason::ALL.iter().map(|reason| reason.as_str()))
}

fn findings() -> Schema {
    one_of(Finding::ALL.iter().map(|finding| finding.as_str()))
}

/// What the description of the API says of [`ListQuery`].
pub fn parameters() -> Vec<Parameter> {
    let view = Parameter::builder()
        .name("as")
        .parameter_in(ParameterIn::Query)
        .description(Some(
            "`clinician`: the caller's own that are open. `reviewer`: the clinic's that wait for \
             a review. Without it, the one that shows least.",
        ))
        .schema(Some(one_of(policy::VIEW_NAMES)));
    vec![view.build()]
}

/// What it says of [`Which`].
pub fn which() -> Vec<Parameter> {
    let id = Object::builder()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
    let parameter = Parameter::builder()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The access."))
        .schema(Some(Schema::from(id.build())));
    vec![parameter.build()]
}

impl From<Shown> for AccessBody {
    fn from(shown: Shown) -> Self {
        let Shown {
            access,
            clinician_name,
            patient_name,
            why,
            note,
        } = shown;
        Self {
            id: access.id,
            clinician: PersonBody {
                id: access.clinician,
                name: clinician_name,
            },
            patient: PersonBody {
                id: access.patient,
                name: patient_name,
            },
            reason: access.reason.as_str(),
            why,
            opened_at: access.opened_at,
            expires_at: access.expires_at,
            closed_at: access.closed_at,
            review: access.review.map(|review| ReviewBody {
                at: review.at,
                by: review.by,
                finding: review.finding.as_str(),
                note,
            }),
        }
    }
}

/// The caller himself: nobody has, sees or reviews an access in another's name.
pub(super) fn himself(caller: &Verified) -> Result<Caller<'_>, Problem> {
    if caller.actor().is_some() {
        return Err(Problem::Acted);
    }
    Ok(Caller {
        subject: SubjectId::from_uuid(caller.subject().as_uuid()),
        client_id: caller.client_id(),
    })
}

pub(super) fn authority(caller: &Verified, view: View) -> Authority<Tenancy> {
    let (class, purpose) = view.look();
    Authority::<Tenancy>::of(caller, class).to(purpose)
}

async fn key(app: &App, authority: Authority<Tenancy>) -> Result<TenantKey, Problem> {
    match service::key(app, authority).await? {
        Key::Here(key) => Ok(*key),
        Key::Destroyed => Err(Problem::WrongState),
        Key::Missing => Err(Problem::NoDataKey),
    }
}

/// The one that was loaded, in words.
async fn said(app: &App, loaded: Loaded) -> Result<Json<AccessBody>, Problem> {
    let shown = service::reveal(app, loaded).await?.pop();
    let shown = shown.ok_or(Problem::NotFound)?;
    Ok(Json(shown.into()))
}

/// `POST /api/v1/emergency-accesses`: opens a patient's record to the clinician who asks, and tells
/// who reviews. A second one, while the first is open, is the first.
pub async fn open(
    State(app): State<App>,
    caller: Verified,
    wanted: Result<Json<NewAccess>, JsonRejection>,
) -> Result<Json<AccessBody>, Problem> {
    let by = himself(&caller)?;
    let Ok(Json(wanted)) = wanted else {
        return Err(Problem::BadRequest { field: "body" });
    };
    let wanted = service::Wanted {
        patient: wanted.patient,
        reason: Reason::parse(&wanted.reason).ok_or(Problem::BadRequest { field: "reason" })?,
        why: TypedText::parse(&wanted.why).ok_or(Problem::BadRequest { field: "why" })?,
    };
    let key = key(&app, authority(&caller, View::Own)).await?;
    let run = app.db.run(authority(&caller, View::Own), async |tx| {
        service::open(tx, &app, by, &key, &wanted).await
    });
    match run.await {
        Ok(Opened::Open(loaded)) => said(&app, loaded).await,
        Ok(Opened::NoSuchPatient) => Err(Problem::NotFound),
        Ok(Opened::ClosedSince) => Err(Problem::WrongState),
        Err(error) if service::nobody_was_told(&error) => Err(Problem::NobodyToReview),
        Err(error) => Err(error.into()),
    }
}

/// `GET /api/v1/emergency-accesses?as=`: a clinician's own that are open, or what waits for a
/// review. On the record.
pub async fn list(
    State(app): State<App>,
    caller: Verified,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<AccessesBody>, Problem> {
    let by = himself(&caller)?;
    let Ok(Query(query)) = query else {
        return Err(Problem::BadRequest { field: "as" });
    };
    let view =
        policy::may_list(caller.roles(), query.as_view.as_deref()).map_err(|why| match why {
            MayNot::NoSuchView => Problem::BadRequest { field: "as" },
            MayNot::NotInThatRole => Problem::Forbidden,
        })?;
    let run = app.db.run(authority(&caller, view), async |tx| {
        service::list(tx, &app, by, view).await
    });
    let shown = service::reveal(&app, run.await?).await?;
    Ok(Json(AccessesBody {
        accesses: shown.into_iter().map(AccessBody::from).collect(),
    }))
}

/// `POST /api/v1/emergency-accesses/{id}/close`: the clinician needs it no more. One that is over
/// stays as it ended.
pub async fn close(
    State(app): State<App>,
    caller: Verified,
    which: Result<Path<Which>, PathRejection>,
) -> Result<Json<AccessBody>, Problem> {
    let by = himself(&caller)?;
    let id = which.map_err(|_| Problem::NotFound)?.id;
    let run = app.db.run(authority(&caller, View::Own), async |tx| {
        service::close(tx, &app, by, id).await
    });
    let loaded = run.await?.ok_or(Problem::NotFound)?;
    said(&app, loaded).await
}

/// `POST /api/v1/emergency-accesses/{id}/review`: signs off one that is over, once, and never one's
/// own.
pub async fn review(
    State(app): State<App>,
    caller: Verified,
    which: Result<Path<Which>, PathRejection>,
    review: Result<Json<NewReview>, JsonRejection>,
) -> Result<Json<AccessBody>, Problem> {
    let by = himself(&caller)?;
    let id = which.map_err(|_| Problem::NotFound)?.id;
    let Ok(Json(review)) = review else {
        return Err(Problem::BadRequest { field: "body" });
    };
    let note = review.note.as_deref().map(TypedText::parse);
    let judged = Judged {
        finding: Finding::parse(&review.finding).ok_or(Problem::BadRequest { field: "finding" })?,
        note: match note {
            Some(None) => return Err(Problem::BadRequest { field: "note" }),
            Some(note) => note,
            None => None,
        },
    };
    let key = key(&app, authority(&caller, View::Queue)).await?;
    let run = app.db.run(authority(&caller, View::Queue), async |tx| {
        service::review(tx, &app, by, &key, (id, &judged)).await
    });
    match run.await? {
        Reviewed::Signed(loaded) => said(&app, loaded).await,
        Reviewed::NotFound => Err(Problem::NotFound),
        Reviewed::Refused(why) => Err(match why {
            ReviewRefusal::HerOwn => Problem::Forbidden,
            ReviewRefusal::Reviewed | ReviewRefusal::StillOpen => Problem::WrongState,
            ReviewRefusal::Unexplained => Problem::BadRequest { field: "note" },
        }),
    }
}
