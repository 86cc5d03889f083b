//! `/api/v1/impersonations/all` and `…/stop`: for the platform's overseers.

use axum::Json;
use axum::extract::State;
use lanyard_verifier::Verified;
use serde::Serialize;
use utoipa::ToSchema;

use super::service;
use crate::app::App;
use crate::db::Authority;
use crate::http::problem::Problem;
use crate::impersonation::model::ImpersonationId;
use crate::impersonation::routes::{GrantBody, GrantsBody, OfPath, id_of};
use crate::impersonation::upkeep;
use crate::platform::overseer;

/// How many were ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImpersonationsStopped)]
pub struct StoppedBody {
    /// Those that were not over.
    #[schema(examples(3))]
    stopped: u64,
}

/// `GET /api/v1/impersonations/all`: in whatever clinic, what is not over first.
pub async fn list(State(app): State<App>, caller: Verified) -> Result<Json<GrantsBody>, Problem> {
    let authority = Authority::overseer(overseer(&caller)?).read_only();
    let listed = app.db.run(authority, async |tx| service::list(tx).await);
    let (grants, opened) = listed.await?;
    let bodies = grants.into_iter();
    let bodies = bodies.map(|grant| GrantBody::of(grant, &opened).without_reason());
    Ok(Json(GrantsBody::of(bodies.collect())))
}

/// `POST /api/v1/impersonations/{id}/stop`.
pub async fn stop(
    State(app): State<App>,
    caller: Verified,
    path: OfPath,
) -> Result<Json<StoppedBody>, Problem> {
    let id = id_of(path)?;
    stopped(&app, &caller, Some(id)).await
}

/// `POST /api/v1/impersonations/stop`: all that are not over, in one statement.
pub async fn stop_all(
    State(app): State<App>,
    caller: Verified,
) -> Result<Json<StoppedBody>, Problem> {
    stopped(&app, &caller, None).await
}

async fn stopped(
    app: &App,
    caller: &Verified,
    which: Option<ImpersonationId>,
) -> Result<Json<StoppedBody>, Problem> {
    let by = overseer(caller)?;
    let stopping = app.db.run(Authority::overseer(by), async |tx| {
        service::stop(tx, app, by, which).await
    });
    let stopped = stopping.await?.ok_or(Problem::NotFound)?;
    // They are over; the event about each may follow now or, if this fails, with the job.
    if let Err(error) = upkeep::settle(app).await {
        tracing::warn!(detail = %crate::http::chain(&error), "ends are recorded later");
    }
    Ok(Json(StoppedBody { stopped }))
}
