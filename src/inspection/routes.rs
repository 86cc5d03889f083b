//! `/api/v1/audit`: checkpoints and proofs.

use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{Object, Type};

use super::store::{self, Kept};
use crate::app::App;
use crate::db::{AccessClass, Authority, Tenancy};
use crate::http::problem::Problem;

/// The largest number that every reader of JSON takes for what it is (RFC 7493 §2.2).
pub(super) const LARGEST: i64 = (1 << 53) - 1;

/// What the description says of [`ProofQuery`].
pub fn proof_parameters() -> Vec<Parameter> {
    vec![
        required(number("index", 0..=LARGEST, "The entry's place.")),
        required(number("size", 1..=LARGEST, "The checkpoint's size.")),
    ]
}

/// What the description says of [`ConsistencyQuery`].
pub fn consistency_parameters() -> Vec<Parameter> {
    vec![
        required(number(
            "from",
            1..=LARGEST,
            "The size of the earlier checkpoint.",
        )),
        required(number("to", 1..=LARGEST, "The size of the later one.")),
    ]
}

pub(super) fn parameter(name: &str, description: &str, schema: Object) -> Parameter {
    Parameter::builder()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

pub(super) fn number(name: &str, range: RangeInclusive<i64>, description: &str) -> Parameter {
    let schema = Object::builder()
        .schema_type(Type::Integer)
        .minimum(Some(*range.start()))
        .maximum(Some(*range.end()));
    parameter(name, description, schema.build())
}

fn required(mut parameter: Parameter) -> Parameter {
    parameter.required = utoipa::openapi::Required::True;
    parameter
}

/// What was last signed of the clinic's log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Checkpoint)]
pub struct CheckpointBody {
    /// How many entries it covers.
    #[schema(examples(18))]
    size: i64,
    /// A checkpoint of C2SP tlog-checkpoint, signed by a key of `/.well-known/lanyard-audit`.
    note: String,
    /// Since when it is known outside of the database.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(examples("2026-03-02T14:30:00Z"))]
    anchored_at: Option<OffsetDateTime>,
}

/// `GET /api/v1/audit/checkpoint`.
pub async fn checkpoint(
    State(app): State<App>,
    caller: Verified,
) -> Result<Json<CheckpointBody>, Problem> {
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::Auditor).read_only();
    let kept = app
        .db
        .run(authority, async |tx| {
            let tenant = tx.tenant()?;
            store::last_checkpoint(tx, tenant).await
        })
        .await?;
    let Kept {
        size,
        note,
        anchored_at,
    } = kept.ok_or(Problem::NotFound)?;
    Ok(Json(CheckpointBody {
        size,
        note,
        anchored_at,
    }))
}

/// Of which entry, in a log of which size.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofQuery {
    index: i64,
    size: i64,
}

/// That an entry is in the log (RFC 9162 §2.1.3).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InclusionProof)]
pub struct ProofBody {
    #[schema(examples(17))]
    index: i64,
    #[schema(examples(18))]
    size: i64,
    /// SHA-256 of a zero byte and the entry's line, base64.
    leaf_hash: String,
    /// From the leaf to the root, each base64.
    path: Vec<String>,
}

/// `GET /api/v1/audit/proof?index=&size=`.
pub async fn proof(
    State(app): State<App>,
    caller: Verified,
    query: Result<Query<ProofQuery>, QueryRejection>,
) -> Result<Json<ProofBody>, Problem> {
    let Ok(Query(ProofQuery { index, size })) = query else {
        return Err(Problem::BadRequest { field: "index" });
    };
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::Auditor).read_only();
    let found = app
        .db
        .run(authority, async |tx| {
            let tenant = tx.tenant()?;
            store::inclusion(tx, tenant, (index, size)).await
        })
        .await?;
    let (leaf_hash, path) = found.ok_or(Problem::NotFound)?;
    Ok(Json(ProofBody {
        index,
        size,
        leaf_hash: STANDARD.encode(leaf_hash),
        path: encoded(&path),
    }))
}

/// Between which sizes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyQuery {
    from: i64,
    to: i64,
}

/// That the later log is the earlier one and more (RFC 9162 §2.1.4).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsistencyProof)]
pub struct ConsistencyBody {
    #[schema(examples(17))]
    from: i64,
    #[schema(examples(18))]
    to: i64,
    /// Each base64.
    path: Vec<String>,
}

/// `GET /api/v1/audit/consistency?from=&to=`.
pub async fn consistency(
    State(app): State<App>,
    caller: Verified,
    query: Result<Query<ConsistencyQuery>, QueryRejection>,
) -> Result<Json<ConsistencyBody>, Problem> {
    let Ok(Query(ConsistencyQuery { from, to })) = query else {
        return Err(Problem::BadRequest { field: "from" });
    };
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::Auditor).read_only();
    let found = app
        .db
        .run(authority, async |tx| {
            let tenant = tx.tenant()?;
            store::consistency(tx, tenant, (from, to)).await
        })
        .await?;
    let path = found.ok_or(Problem::NotFound)?;
    Ok(Json(ConsistencyBody {
        from,
        to,
        path: encoded(&path),
    }))
}

fn encoded(hashes: &[Vec<u8>]) -> Vec<String> {
    hashes.iter().map(|hash| STANDARD.encode(hash)).collect()
}
