//! `/api/v1/session-endings`: everything of one clinic, ended at once, with proof.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, Schema, Type};
use uuid::Uuid;

use crate::app::App;
use crate::audit::EventType;
use crate::db::{Authority, StoreError};
use crate::http::problem::Problem;
use crate::identity::membership::store as membership;
use crate::ids::{SubjectId, TenantId};
use crate::oidc::sessions_end::{self, Begun, Means, Order, Reason, SESSIONS_A_BATCH, Standing};
use crate::platform::{overseer, record};

/// What is to be ended.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewSessionEnding)]
#[serde(deny_unknown_fields)]
pub struct NewEnding {
    /// The clinic's id, or the platform's.
    #[schema(value_type = Uuid)]
    clinic: TenantId,
    #[schema(schema_with = reasons)]
    reason: String,
}

/// An order to end everything of a clinic.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionEnding)]
pub struct EndingBody {
    id: Uuid,
    #[schema(value_type = Uuid)]
    clinic: TenantId,
    #[schema(schema_with = reasons)]
    reason: String,
    /// No token that was issued before is good.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    /// That it is complete; null as long as it is not.
    completion: Option<CompletionBody>,
}

/// The database, asked last, had nothing left, and nobody writes any more who had not seen the end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionEndingCompletion)]
struct CompletionBody {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Sessions, as the clinic saw them, that were ended.
    sessions: u64,
    /// Token families that were ended.
    families: u64,
    /// Codes that nobody had redeemed.
    codes: u64,
    /// What was left, counted last.
    #[schema(examples(0))]
    left: u64,
}

/// The newest fifty, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionEndings)]
pub struct EndingsBody {
    endings: Vec<EndingBody>,
}

fn reasons() -> Schema {
    let object = Object::builder().schema_type(Type::String);
    let names = Reason::ALL.iter().map(|reason| reason.name());
    object.enum_values(Some(names)).build().into()
}

impl From<Standing> for EndingBody {
    fn from(standing: Standing) -> Self {
        Self {
            id: standing.id,
            clinic: standing.tenant,
            reason: standing.reason,
            until: standing.until,
            completion: standing.completed.map(|(at, counts)| CompletionBody {
                at,
                sessions: counts.sessions,
                families: counts.families,
                codes: counts.codes,
                left: 0,
            }),
        }
    }
}

/// `GET /api/v1/session-endings`.
pub async fn list(State(app): State<App>, caller: Verified) -> Result<Json<EndingsBody>, Problem> {
    let authority = Authority::overseer(overseer(&caller)?).read_only();
    let reading = app
        .db
        .run(authority, async |tx| sessions_end::list(tx).await);
    let endings = reading.await?.into_iter().map(EndingBody::from);
    Ok(Json(EndingsBody {
        endings: endings.collect(),
    }))
}

/// `POST /api/v1/session-endings`: when this answers no token from before is good; the sessions are
/// ended after that, and the list says when none is left.
pub async fn end(
    State(app): State<App>,
    caller: Verified,
    body: Result<Json<NewEnding>, JsonRejection>,
) -> Result<Json<EndingBody>, Problem> {
    let bad = |field| Problem::BadRequest { field };
    let Json(body) = body.map_err(|_| bad("body"))?;
    let reason = Reason::parse(&body.reason).ok_or(bad("reason"))?;
    let by = overseer(&caller)?;
    if !exists(&app, body.clinic).await? {
        return Err(Problem::NotFound);
    }
    let order = Order::new(&app.env, body.clinic, reason);
    let ordered = json!({
        "order": order.id, "tenant": order.tenant, "reason": reason.name(),
    });
    record(&app, by, EventType::TenantSessionsEndOrdered, ordered).await?;
    let begun = means(&app).begin(order.clone()).await?;
    tokio::spawn(finish(app, by, order.clone(), begun));
    Ok(Json(EndingBody {
        id: order.id,
        clinic: order.tenant,
        reason: reason.name().to_owned(),
        until: order.until,
        completion: None,
    }))
}

/// If this process dies meanwhile the order stays without its proof, and is given again.
async fn finish(app: App, by: SubjectId, order: Order, begun: Begun) {
    let ended = async {
        let proof = means(&app).finish(&begun, SESSIONS_A_BATCH, |_| ()).await?;
        if !proof.is_complete {
            tracing::error!(left = proof.left, "sessions of a clinic are left");
            return Ok(());
        }
        let detail = json!({
            "order": order.id,
            "tenant": order.tenant,
            "step": "completed",
            "sessions": proof.ended.sessions,
            "families": proof.ended.families,
            "codes": proof.ended.codes,
            "left": proof.left,
        });
        record(&app, by, EventType::TenantSessionsEnded, detail).await
    };
    if let Err(error) = ended.await {
        let detail = crate::http::chain(&error);
        tracing::error!(detail, "sessions of a clinic were not ended to the last");
    }
}

fn means(app: &App) -> Means<'_> {
    Means {
        db: &app.db,
        env: &app.env,
        keys: &app.keys,
    }
}

async fn exists(app: &App, tenant: TenantId) -> Result<bool, StoreError> {
    let authority = Authority::presented_in(tenant).read_only();
    let found = app.db.run(authority, async |tx| {
        membership::find_clinic_by_id(tx, tenant).await
    });
    Ok(found.await?.is_some())
}
