//! `/api/v1/delegations`: the clinic's; `/api/v1/me/delegations`: the caller's own.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use lanyard_verifier::{Basis, Verified};
use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, Object, Schema, SchemaFormat, Type};

use super::model::{Delegation, DelegationId, Document, EndCause, Lent, Named, Terms};
use super::policy::{self, Granter, Unfit};
use super::service::{self, Ended, Ender, Granted};
use crate::app::App;
use crate::db::{Authority, Identity};
use crate::http::problem::Problem;
use crate::ids::{SubjectId, TenantId};

/// RFC 3339 `full-date`.
const DAY: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]");

/// What a clinic writes down.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewDelegation)]
#[serde(deny_unknown_fields)]
pub struct NewBody {
    /// Whose rights: her `sub` in this clinic.
    #[schema(value_type = Uuid)]
    patient: SubjectId,
    /// Who acts: his `sub` in this clinic.
    #[schema(value_type = Uuid)]
    proxy: SubjectId,
    #[schema(schema_with = bases)]
    basis: String,
    /// Where the clinic keeps the paper.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._#/-]{0,63}$")]
    document: String,
    /// What of the patient's rights is lent.
    #[schema(schema_with = scopes)]
    scope: Vec<String>,
    /// From when on; without it from now on. A year ahead at most.
    #[serde(default, with = "time::serde::rfc3339::option")]
    valid_from: Option<OffsetDateTime>,
    /// Until when, if the paper says so; a caregiver's always does, two years ahead at most.
    #[serde(default, with = "time::serde::rfc3339::option")]
    valid_until: Option<OffsetDateTime>,
    /// When the patient is no minor any more: of a parent always, of a guardian if she is one. It
    /// is over from that day's first instant, UTC.
    #[schema(schema_with = day)]
    ages_out_on: Option<String>,
}

/// Whom a patient names as her caregiver.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewCaregiver)]
#[serde(deny_unknown_fields)]
pub struct NewCaregiverBody {
    /// Who acts: the `sub` that he reads to her.
    #[schema(value_type = Uuid)]
    proxy: SubjectId,
    /// What of her rights is lent.
    #[schema(schema_with = scopes)]
    scope: Vec<String>,
    /// Until when: two years ahead at most.
    #[serde(with = "time::serde::rfc3339")]
    valid_until: OffsetDateTime,
}

/// Somebody of a delegation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DelegationPerson)]
struct PersonBody {
    /// The `sub` in this clinic.
    #[schema(value_type = Uuid)]
    id: SubjectId,
    /// As the clinic calls her.
    #[schema(examples("Ada Quill"))]
    name: String,
}

/// What lets one member act for another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delegation)]
pub struct DelegationBody {
    /// The `subject_token` of an exchange, and `act.delegation` of its tokens.
    #[schema(value_type = Uuid)]
    id: DelegationId,
    patient: PersonBody,
    proxy: PersonBody,
    #[schema(schema_with = bases)]
    basis: &'static str,
    /// The law that the basis stands on.
    #[schema(value_type = String, examples("45 CFR 164.502(g)(3)"))]
    law: &'static str,
    /// Where the clinic keeps the paper; null: the patient named a caregiver herself.
    document: Option<String>,
    #[schema(schema_with = scopes)]
    scope: Vec<&'static str>,
    /// The `sub` of who wrote it down.
    #[schema(value_type = Uuid)]
    granted_by: SubjectId,
    #[serde(with = "time::serde::rfc3339")]
    granted_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    valid_from: OffsetDateTime,
    #[schema(schema_with = day)]
    ages_out_on: Option<String>,
    /// Until when at most; null: until somebody ends it.
    #[serde(with = "time::serde::rfc3339::option")]
    ends_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// A constant word.
    #[schema(value_type = Option<String>, examples("by_patient"))]
    end_cause: Option<&'static str>,
    /// Whether the caller may end it.
    you_may_end: bool,
}

/// The newest hundred of the clinic, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delegations)]
pub struct DelegationsBody {
    delegations: Vec<DelegationBody>,
}

/// The caller's own, newest first: a hundred at most.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnDelegations)]
pub struct OwnBody {
    /// Who may act for her.
    act_for_you: Vec<DelegationBody>,
    /// For whom she may act.
    you_act_for: Vec<DelegationBody>,
}

fn one_of(words: impl IntoIterator<Item = &'static str>) -> Object {
    let object = Object::builder().schema_type(Type::String);
    object.enum_values(Some(words)).build()
}

fn bases() -> Schema {
    one_of(Basis::ALL.into_iter().map(Basis::name)).into()
}

fn scopes() -> Schema {
    let key = one_of(Lent::ALL.iter().map(|key| key.as_str()));
    let list = utoipa::openapi::schema::ArrayBuilder::new().items(key);
    list.min_items(Some(1)).unique_items(true).build().into()
}

fn day() -> Schema {
    let kinds = utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]);
    let day = Object::builder().schema_type(kinds);
    day.format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
        .build()
        .into()
}

/// What the description of the API says of the path.
pub fn parameters() -> Vec<Parameter> {
    let id = Object::builder()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
    let id = Parameter::builder()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The delegation's id."))
        .schema(Some(Schema::from(id.build())));
    vec![id.build()]
}

impl DelegationBody {
    fn of(named: Named, you_may_end: impl FnOnce(&Delegation) -> bool) -> Self {
        let Named {
            delegation,
            patient_name,
            proxy_name,
        } = named;
        let you_may_end = delegation.ended_at.is_none() && you_may_end(&delegation);
        Self {
            id: delegation.id,
            patient: PersonBody {
                id: delegation.patient,
                name: patient_name,
            },
            proxy: PersonBody {
                id: delegation.proxy,
                name: proxy_name,
            },
            basis: delegation.basis.name(),
            law: policy::law(delegation.basis),
            document: delegation.document,
            scope: delegation.scope.iter().map(|key| key.as_str()).collect(),
            granted_by: delegation.granted_by,
            granted_at: delegation.granted_at,
            valid_from: delegation.valid_from,
            ages_out_on: delegation.ages_out_on.and_then(|day| day.format(DAY).ok()),
            ends_at: delegation.ends_at,
            ended_at: delegation.ended_at,
            end_cause: delegation.end_cause.map(EndCause::as_str),
            you_may_end,
        }
    }
}

/// The delegation of a path.
#[derive(Debug, Deserialize)]
pub struct Which {
    id: DelegationId,
}

type OfPath = Result<Path<Which>, PathRejection>;

/// The caller, and her authority. No actor comes here: the keys of these routes are never lent.
fn herself(caller: &Verified) -> Result<(Authority<Identity>, SubjectId), Problem> {
    if caller.actor().is_some() {
        return Err(Problem::Acted);
    }
    let tenant = TenantId::from_uuid(caller.tenant().as_uuid());
    let subject = SubjectId::from_uuid(caller.subject().as_uuid());
    Ok((Authority::caller(tenant, subject), subject))
}

fn keys(typed: &[String]) -> Result<Vec<Lent>, Problem> {
    let mut keys = Vec::new();
    for typed in typed {
        let key = Lent::parse(typed).ok_or(Problem::BadRequest { field: "scope" })?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

impl NewBody {
    fn terms(self) -> Result<Terms, Problem> {
        let bad = |field| Problem::BadRequest { field };
        let day = |day: String| Date::parse(&day, DAY).map_err(|_| bad("ages_out_on"));
        Ok(Terms {
            patient: self.patient,
            proxy: self.proxy,
            basis: self.basis.parse().map_err(|_| bad("basis"))?,
            document: Some(Document::parse(&self.document).ok_or(bad("document"))?),
            scope: keys(&self.scope)?,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            ages_out_on: self.ages_out_on.map(day).transpose()?,
        })
    }
}

async fn granted(
    app: &App,
    authority: Authority<Identity>,
    granter: Granter,
    terms: &Terms,
) -> Result<Json<DelegationBody>, Problem> {
    let outcome = app.db.run(authority, async |tx| {
        service::grant(tx, app, granter, terms).await
    });
    match outcome.await? {
        Granted::Done(named) => Ok(Json(DelegationBody::of(*named, |_| true))),
        Granted::Unknown => Err(Problem::NotFound),
        Granted::StandsAlready => Err(Problem::WrongState),
        Granted::Unfit(Unfit::Herself) => Err(Problem::Forbidden),
        Granted::Unfit(Unfit::Field(field)) => Err(Problem::BadRequest { field }),
    }
}

async fn ended(
    app: &App,
    authority: Authority<Identity>,
    by: Ender,
    path: OfPath,
) -> Result<Json<DelegationBody>, Problem> {
    let id = path.map_err(|_| Problem::NotFound)?.id;
    let ended = app
        .db
        .run(authority, async |tx| service::end(tx, app, by, id).await);
    match ended.await? {
        Ended::Done(named) => Ok(Json(DelegationBody::of(*named, |_| false))),
        Ended::Unknown => Err(Problem::NotFound),
        Ended::NotHers => Err(Problem::Forbidden),
    }
}

/// `POST /api/v1/delegations`: the clinic lets a proxy act for a patient, by a paper that it keeps.
pub async fn create(
    State(app): State<App>,
    caller: Verified,
    body: Result<Json<NewBody>, JsonRejection>,
) -> Result<Json<DelegationBody>, Problem> {
    let (authority, by) = herself(&caller)?;
    let Json(body) = body.map_err(|_| Problem::BadRequest { field: "body" })?;
    granted(&app, authority, Granter::Clinic(by), &body.terms()?).await
}

/// `GET /api/v1/delegations`: the clinic's.
pub async fn list(
    State(app): State<App>,
    caller: Verified,
) -> Result<Json<DelegationsBody>, Problem> {
    let (authority, _) = herself(&caller)?;
    let listed = app
        .db
        .run(authority.read_only(), async |tx| service::list(tx).await);
    let bodies = listed.await?.into_iter();
    Ok(Json(DelegationsBody {
        delegations: bodies
            .map(|named| DelegationBody::of(named, |_| true))
            .collect(),
    }))
}

/// `POST /api/v1/delegations/{id}/end`: by the clinic. One that is over stays as it ended.
pub async fn end(
    State(app): State<App>,
    caller: Verified,
    path: OfPath,
) -> Result<Json<DelegationBody>, Problem> {
    let (authority, _) = herself(&caller)?;
    ended(&app, authority, Ender::Clinic, path).await
}

/// `POST /api/v1/me/delegations`: a patient names a caregiver (45 CFR 164.508).
pub async fn name_caregiver(
    State(app): State<App>,
    caller: Verified,
    body: Result<Json<NewCaregiverBody>, JsonRejection>,
) -> Result<Json<DelegationBody>, Problem> {
    let (authority, by) = herself(&caller)?;
    let Json(body) = body.map_err(|_| Problem::BadRequest { field: "body" })?;
    let terms = Terms {
        patient: by,
        proxy: body.proxy,
        basis: Basis::Caregiver,
        document: None,
        scope: keys(&body.scope)?,
        valid_from: None,
        valid_until: Some(body.valid_until),
        ages_out_on: None,
    };
    granted(&app, authority, Granter::Patient(by), &terms).await
}

/// `GET /api/v1/me/delegations`: who may act for the caller, and for whom she may.
pub async fn list_own(State(app): State<App>, caller: Verified) -> Result<Json<OwnBody>, Problem> {
    let (authority, by) = herself(&caller)?;
    let listed = app.db.run(authority.read_only(), async |tx| {
        service::list_of(tx, by).await
    });
    let bodies = |all: Vec<Named>| {
        let may_end = |one: &Delegation| policy::cause_of_member(one, by).is_some();
        let bodies = all.into_iter();
        bodies
            .map(|named| DelegationBody::of(named, may_end))
            .collect()
    };
    let (theirs, hers) = listed
        .await?
        .into_iter()
        .partition(|named| named.delegation.patient == by);
    Ok(Json(OwnBody {
        act_for_you: bodies(theirs),
        you_act_for: bodies(hers),
    }))
}

/// `POST /api/v1/me/delegations/{id}/end`: by the proxy, or by the patient if its basis is hers to
/// take back.
pub async fn end_own(
    State(app): State<App>,
    caller: Verified,
    path: OfPath,
) -> Result<Json<DelegationBody>, Problem> {
    let (authority, by) = herself(&caller)?;
    ended(&app, authority, Ender::Member(by), path).await
}
