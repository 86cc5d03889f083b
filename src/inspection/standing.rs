//! `/api/v1/audit/standing`: how much a clinic's log holds, and how well it is kept.

use axum::Json;
use axum::extract::State;
use lanyard_verifier::Verified;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::store::{self, Held};
use crate::app::App;
use crate::db::{AccessClass, Authority, Tenancy};
use crate::http::problem::Problem;

/// 45 CFR 164.316(b)(2)(i); the database refuses to drop anything younger.
const RETENTION_YEARS: u32 = 6;

/// How much of the log there is, and how much of it is signed and known outside.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogStanding)]
pub struct StandingBody {
    /// Entries that ever were.
    #[schema(examples(48211))]
    size: i64,
    /// How many of them a checkpoint covers.
    #[schema(examples(48200))]
    signed: i64,
    /// How many of them a checkpoint covers that stands outside of the database.
    #[schema(examples(48200))]
    anchored: i64,
    /// When the last checkpoint was made; null before the first.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(examples("2026-03-02T14:30:00Z"))]
    signed_at: Option<OffsetDateTime>,
    /// When the oldest entry that is not archived was written; null if there is none.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(examples("2026-03-02T14:30:00Z"))]
    oldest_recorded_at: Option<OffsetDateTime>,
    /// Years that an entry is kept at least.
    #[schema(examples(6))]
    retention_years: u32,
}

/// `GET /api/v1/audit/standing`.
pub async fn standing(
    State(app): State<App>,
    caller: Verified,
) -> Result<Json<StandingBody>, Problem> {
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::Auditor).read_only();
    let held = app
        .db
        .run(authority, async |tx| {
            let tenant = tx.tenant()?;
            store::held(tx, tenant).await
        })
        .await?;
    let Held {
        size,
        signed_size,
        anchored_size,
        signed_at,
        oldest_recorded_at,
    } = held.unwrap_or_default();
    Ok(Json(StandingBody {
        size,
        signed: signed_size,
        anchored: anchored_size,
        signed_at,
        oldest_recorded_at,
        retention_years: RETENTION_YEARS,
    }))
}
