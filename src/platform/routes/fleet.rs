//! `/api/v1/verifiers`: every process of somebody's that checks our tokens.

use axum::Json;
use axum::extract::State;
use lanyard_verifier::Verified;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::db::Authority;
use crate::http::problem::Problem;
use crate::ids::{ClientId, TenantId};
use crate::platform::overseer;
use crate::revocation::model::Verifier;
use crate::revocation::{policy, service};

/// How one process stands, as it said last.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verifier)]
pub struct VerifierBody {
    /// Whose client it is: a clinic's id, or the platform's.
    #[schema(value_type = Uuid)]
    tenant: TenantId,
    /// The resource server.
    #[schema(value_type = String, examples("visits-api"))]
    client_id: ClientId,
    /// Its own name for the process; empty: it gave none.
    instance: String,
    /// `current`, `behind`, `silent`.
    #[schema(value_type = String, examples("current"))]
    standing: &'static str,
    version: String,
    /// Seconds since it last had the key set.
    keys_age_seconds: i64,
    /// The last position of the stream that it has; null: it never had the stream.
    position: Option<i64>,
    /// How far behind it said it was; null as the position.
    lag_milliseconds: Option<i64>,
    #[serde(with = "time::serde::rfc3339")]
    reported_at: OffsetDateTime,
}

/// All that reported within the last day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verifiers)]
pub struct VerifiersBody {
    verifiers: Vec<VerifierBody>,
}

/// `GET /api/v1/verifiers`.
pub async fn list(
    State(app): State<App>,
    caller: Verified,
) -> Result<Json<VerifiersBody>, Problem> {
    let authority = Authority::overseer(overseer(&caller)?).read_only();
    let reading = app
        .db
        .run(authority, async |tx| service::verifiers(tx).await);
    let all = reading.await?;
    let now = app.env.now();
    let body = |verifier: Verifier| VerifierBody {
        standing: policy::health(&verifier, now).word(),
        tenant: verifier.tenant,
        client_id: verifier.client,
        instance: verifier.standing.instance,
        version: verifier.standing.version,
        keys_age_seconds: verifier.standing.keys_age_seconds,
        position: verifier.standing.position,
        lag_milliseconds: verifier.standing.lag_milliseconds,
        reported_at: verifier.reported_at,
    };
    Ok(Json(VerifiersBody {
        verifiers: all.into_iter().map(body).collect(),
    }))
}
