//! `/api/v1/impersonations`: support asks, starts and ends; the clinic answers, sees and ends.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{Object, Schema, Type};

use super::answers::{self, Clinical};
use super::model::{
    EndCause, Grant, ImpersonationId, Minutes, Opened, Preset, Reason, Rule, State as Step, Ticket,
    Wanted,
};
use super::policy::Denial;
use super::service::{self, Agent, Answer, Asked};
use crate::app::App;
use crate::db::{Authority, Identity};
use crate::http::problem::Problem;
use crate::ids::{ClientId, SubjectId, TenantId};
use crate::platform::is_of_platform;

/// What support asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewImpersonation)]
#[serde(deny_unknown_fields)]
pub struct NewBody {
    /// The clinic's id.
    #[schema(value_type = Uuid)]
    clinic: TenantId,
    /// As whom: her `sub` in that clinic.
    #[schema(value_type = Uuid)]
    subject: SubjectId,
    /// Why, for her and her clinic to read: 10 to 500 characters once the spaces around are gone.
    #[schema(
        min_length = 10,
        max_length = 500,
        pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]{8,498}\
                   [^\\s\\u0000-\\u001f\\u007f-\\u009f]$"
    )]
    reason: String,
    /// The case in the support's own system.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._#/-]{0,63}$")]
    ticket: String,
    /// How much of what is lent.
    #[schema(schema_with = presets)]
    preset: String,
    /// For how long, once started.
    #[schema(minimum = 1, maximum = 30)]
    minutes: i64,
}

/// What was opened at one route of an API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImpersonationOpened)]
struct OpenedBody {
    #[schema(examples("GET"))]
    method: String,
    /// The route's template.
    #[schema(examples("/api/v1/visits"))]
    route: String,
    /// How often.
    times: i64,
    #[serde(with = "time::serde::rfc3339")]
    last_at: OffsetDateTime,
}

/// One grant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Impersonation)]
pub struct GrantBody {
    #[schema(value_type = Uuid)]
    id: ImpersonationId,
    #[schema(value_type = Uuid)]
    clinic: TenantId,
    /// As whom.
    #[schema(value_type = Uuid)]
    subject: SubjectId,
    /// Who acts: a member of the platform's own tenant.
    #[schema(value_type = Uuid)]
    actor: SubjectId,
    /// What he was called when he asked.
    #[schema(examples("Sam Porter"))]
    actor_name: String,
    /// Left out for who oversees: it is for the person and her clinic.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    ticket: String,
    #[schema(schema_with = presets)]
    preset: &'static str,
    minutes: i16,
    #[schema(schema_with = states)]
    state: &'static str,
    /// Who had to say yes when it was asked: nobody, an administrator of the clinic, or the person.
    #[schema(schema_with = rules)]
    rule: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    /// Void unless it was started by then.
    #[serde(with = "time::serde::rfc3339")]
    start_by: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    ends_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// A constant word.
    #[schema(value_type = Option<String>, examples("by_subject"))]
    end_cause: Option<&'static str>,
    /// To the clinic and to who oversees: what the APIs recorded.
    opened: Vec<OpenedBody>,
}

/// The newest hundred grants that concern the caller, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Impersonations)]
pub struct GrantsBody {
    impersonations: Vec<GrantBody>,
}

fn presets() -> Schema {
    one_of(Preset::ALL.iter().map(|preset| preset.as_str()))
}

fn rules() -> Schema {
    one_of(Rule::ALL.iter().map(|rule| rule.as_str()))
}

fn states() -> Schema {
    one_of(Step::ALL.iter().map(|state| state.as_str()))
}

fn one_of(words: impl Iterator<Item = &'static str>) -> Schema {
    let object = Object::builder().schema_type(Type::String);
    object.enum_values(Some(words)).build().into()
}

/// What the description of the API says of the path.
pub fn parameters() -> Vec<Parameter> {
    let id = Object::builder()
        .schema_type(Type::String)
        .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
            utoipa::openapi::KnownFormat::Uuid,
        )))
        .build();
    let id = Parameter::builder()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The grant's id."))
        .schema(Some(Schema::from(id)));
    vec![id.build()]
}

impl GrantBody {
    pub(super) fn of(grant: Grant, opened: &[Opened]) -> Self {
        let of_it = opened.iter().filter(|o| o.impersonation_id == grant.id);
        Self {
            opened: of_it
                .map(|opened| OpenedBody {
                    method: opened.method.clone(),
                    route: opened.route.clone(),
                    times: opened.times,
                    last_at: opened.last_at,
                })
                .collect(),
            id: grant.id,
            clinic: grant.tenant,
            subject: grant.subject,
            actor: grant.actor,
            actor_name: grant.actor_name,
            reason: Some(grant.reason),
            ticket: grant.ticket,
            preset: grant.preset.as_str(),
            minutes: grant.minutes,
            state: grant.state.as_str(),
            rule: grant.rule.as_str(),
            requested_at: grant.requested_at,
            start_by: grant.start_by,
            started_at: grant.started_at,
            ends_at: grant.ends_at,
            ended_at: grant.ended_at,
            end_cause: grant.end_cause.map(EndCause::as_str),
        }
    }

    /// As who oversees sees it.
    pub(super) fn without_reason(mut self) -> Self {
        self.reason = None;
        self
    }
}

impl GrantsBody {
    pub(super) const fn of(impersonations: Vec<GrantBody>) -> Self {
        Self { impersonations }
    }
}

/// The grant of a path.
#[derive(Debug, Deserialize)]
pub struct Which {
    id: ImpersonationId,
}

pub(super) type OfPath = Result<Path<Which>, PathRejection>;

pub(super) fn id_of(path: OfPath) -> Result<ImpersonationId, Problem> {
    path.map(|Path(which)| which.id)
        .map_err(|_| Problem::NotFound)
}

/// The caller as the platform's staff.
fn agent(caller: &Verified) -> Result<Agent, Problem> {
    let sid = caller.sid().and_then(|sid| sid.parse().ok());
    let client = ClientId::parse(caller.client_id());
    match (is_of_platform(caller), sid, client) {
        (true, Some(sid), Some(client)) => Ok(Agent {
            subject: SubjectId::from_uuid(caller.subject().as_uuid()),
            sid,
            client,
            is_acting: caller.actor().is_some(),
        }),
        _ => Err(Problem::Forbidden),
    }
}

/// The caller as somebody of the clinic, and her authority.
fn clinical(caller: &Verified) -> (Authority<Identity>, Clinical) {
    let by = Clinical {
        tenant: TenantId::from_uuid(caller.tenant().as_uuid()),
        subject: SubjectId::from_uuid(caller.subject().as_uuid()),
        is_subject: false,
    };
    (Authority::caller(by.tenant, by.subject), by)
}

fn said(answer: Answer<Grant>) -> Result<Json<GrantBody>, Problem> {
    match answer {
        Answer::Done(grant) => Ok(Json(GrantBody::of(grant, &[]))),
        Answer::Unknown => Err(Problem::NotFound),
        Answer::Denied(Denial::WrongState) => Err(Problem::WrongState),
        Answer::Denied(_) => Err(Problem::ImpersonationRefused),
    }
}

/// `POST /api/v1/impersonations`: support asks to act as somebody.
pub async fn request(
    State(app): State<App>,
    caller: Verified,
    body: Result<Json<NewBody>, JsonRejection>,
) -> Result<Json<GrantBody>, Problem> {
    let bad = |field| Problem::BadRequest { field };
    let Json(body) = body.map_err(|_| bad("body"))?;
    let wanted = Wanted {
        tenant: body.clinic,
        subject: body.subject,
        reason: Reason::parse(&body.reason).ok_or(bad("reason"))?,
        ticket: Ticket::parse(&body.ticket).ok_or(bad("ticket"))?,
        preset: Preset::parse(&body.preset).ok_or(bad("preset"))?,
        minutes: Minutes::parse(body.minutes).ok_or(bad("minutes"))?,
    };
    let agent = agent(&caller)?;
    let asked = app
        .db
        .run(Authority::agent(agent.subject), async |tx| {
            service::request(tx, &app, &agent, &wanted).await
        })
        .await?;
    match asked {
        Asked::Heard(answer) => said(*answer),
        Asked::TooOften { again_in } => Err(Problem::TooOften { again_in }),
    }
}

/// `POST /api/v1/impersonations/{id}/start`: the minutes begin.
pub async fn start(
    State(app): State<App>,
    caller: Verified,
    path: OfPath,
) -> Result<Json<GrantBody>, Problem> {
    let (id, agent) = (id_of(path)?, agent(&caller)?);
    let answer = app
        .db
        .run(Authority::agent(agent.subject), async |tx| {
            service::start(tx, &app, &agent, id).await
        })
        .await?;
    said(answer)
}

/// `POST /api/v1/impersonations/{id}/approve`: the clinic says yes.
pub async fn approve(
    State(app): State<App>,
    caller: Verified,
    path: OfPath,
) -> Result<Json<GrantBody>, Problem> {
    let (id, (authority, by)) = (id_of(path)?, clinical(&caller));
    let answer = app.db.run(authority, async |tx| {
        answers::approve(tx, &app, by, id).await
    });
    said(answer.await?)
}

/// `POST /api/v1/impersonations/{id}/refuse`: the clinic says no.
pub async fn refuse(
    State(app): State<App>,
    caller: Verified,
    path: OfPath,
) -> Result<Json<GrantBody>, Problem> {
    let (id, (authority, by)) = (id_of(path)?, clinical(&caller));
    let answer = app.db.run(authority, async |tx| {
        answers::refuse(tx, &app, by, id).await
    });
    said(answer.await?)
}

/// `POST /api/v1/impersonations/{id}/end`: by who acts, or by the clinic.
pub async fn end(
    State(app): State<App>,
    caller: Verified,
    path: OfPath,
) -> Result<Json<GrantBody>, Problem> {
    let id = id_of(path)?;
    if is_of_platform(&caller) {
        let actor = agent(&caller)?.subject;
        let answer = app.db.run(Authority::agent(actor), async |tx| {
            answers::end_by_actor(tx, &app, actor, id).await
        });
        return said(answer.await?);
    }
    let (authority, by) = clinical(&caller);
    let answer = app.db.run(authority, async |tx| {
        answers::end_by_clinic(tx, &app, by, id).await
    });
    said(answer.await?)
}

/// `GET /api/v1/impersonations`: support its own, the clinic all of its members.
pub async fn list(State(app): State<App>, caller: Verified) -> Result<Json<GrantsBody>, Problem> {
    let (grants, opened) = if is_of_platform(&caller) {
        let actor = agent(&caller)?.subject;
        let authority = Authority::agent(actor).read_only();
        let listed = app.db.run(authority, async |tx| {
            answers::list_of_actor(tx, actor).await
        });
        (listed.await?, Vec::new())
    } else {
        let (authority, by) = clinical(&caller);
        let listed = app.db.run(authority.read_only(), async |tx| {
            answers::list_of_clinic(tx, by.tenant).await
        });
        listed.await?
    };
    let bodies = grants
        .into_iter()
        .map(|grant| GrantBody::of(grant, &opened));
    Ok(Json(GrantsBody::of(bodies.collect())))
}
