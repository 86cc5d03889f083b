//! `/api/v1/audit`.

use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, Object, SchemaFormat, Type};
use uuid::Uuid;

use super::model::{Entry, Filter, is_trace, patterns, types};
use super::store::{self, Kept};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{AccessClass, Authority, StoreError, Tenancy};
use crate::http::problem::Problem;

/// Entries on a page, if nothing is said of it, and at most.
const MOST: i64 = 100;
/// The largest number that every reader of JSON takes for what it is (RFC 7493 §2.2).
pub(super) const LARGEST: i64 = (1 << 53) - 1;

/// Which entries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    before: Option<i64>,
    most: Option<i64>,
    person: Option<Uuid>,
    actor: Option<Uuid>,
    #[serde(rename = "type")]
    kind: Option<String>,
    trace: Option<String>,
}

/// What the description of the API says of [`EventsQuery`].
pub fn events_parameters() -> Vec<Parameter> {
    let text = || Object::builder().schema_type(Type::String);
    let uuid = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    let id = || text().format(Some(uuid.clone())).build();
    let of_type = text().enum_values(Some(patterns())).build();
    let trace = text().pattern(Some("^[0-9A-Za-z_.:-]{1,128}$")).build();
    vec![
        number(
            "before",
            0..=LARGEST,
            "Entries before this index; without it the latest.",
        ),
        number("most", 1..=MOST, "How many at most."),
        parameter("person", "Of the member with this id.", id()),
        parameter("actor", "Done by this one for somebody else.", id()),
        parameter(
            "type",
            "A type, or all of a noun, as in `sign_in.*`.",
            of_type,
        ),
        parameter("trace", "Of the request with this trace.", trace),
    ]
}

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

fn parameter(name: &str, description: &str, schema: Object) -> Parameter {
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

/// Something that happened, as the log has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogEntry)]
struct EntryBody {
    /// Its place in the clinic's log, from 0, without a gap.
    #[schema(examples(17))]
    index: i64,
    id: Uuid,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(examples("visit.listed"))]
    kind: String,
    /// The class of access under which it happened.
    #[schema(examples("care_team"))]
    class: String,
    /// The member that it is about.
    subject: Option<Uuid>,
    /// Who did it for her, if somebody else.
    actor: Option<Uuid>,
    /// UTC, by the server's clock.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(examples("2026-03-02T14:30:00Z"))]
    occurred_at: OffsetDateTime,
    /// UTC, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(examples("2026-03-02T14:30:00Z"))]
    recorded_at: OffsetDateTime,
    trace: Option<String>,
    /// Ids, counts and constant words, by type.
    #[schema(value_type = Object)]
    detail: Map<String, Value>,
}

impl From<Entry> for EntryBody {
    fn from(entry: Entry) -> Self {
        Self {
            index: entry.index,
            id: entry.id,
            kind: entry.kind,
            class: entry.class,
            subject: entry.subject,
            actor: entry.actor,
            occurred_at: entry.occurred_at,
            recorded_at: entry.recorded_at,
            trace: entry.trace,
            detail: entry.detail,
        }
    }
}

/// A page of the log, the latest entry first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogPage)]
pub struct EventsBody {
    entries: Vec<EntryBody>,
    /// `before` of the next page, if there may be one.
    #[schema(examples(17))]
    next: Option<i64>,
}

/// `GET /api/v1/audit/events`: a page of the clinic's log. On the record.
pub async fn events(
    State(app): State<App>,
    caller: Verified,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Json<EventsBody>, Problem> {
    let Ok(Query(query)) = query else {
        return Err(Problem::BadRequest { field: "before" });
    };
    let (before, most) = (query.before.unwrap_or(LARGEST), query.most.unwrap_or(MOST));
    if !query.before.is_none_or(|at| (0..=LARGEST).contains(&at)) {
        return Err(Problem::BadRequest { field: "before" });
    }
    if !(1..=MOST).contains(&most) {
        return Err(Problem::BadRequest { field: "most" });
    }
    if query.trace.as_deref().is_some_and(|trace| !is_trace(trace)) {
        return Err(Problem::BadRequest { field: "trace" });
    }
    let types = match query.kind.as_deref().map(types) {
        Some(None) => return Err(Problem::BadRequest { field: "type" }),
        meant => meant.flatten(),
    };
    let filter = Filter {
        person: query.person,
        actor: query.actor,
        types,
        trace: query.trace,
    };
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::Auditor);
    let entries = app
        .db
        .run(authority, async |tx| {
            let tenant = tx.tenant()?;
            let entries = store::page(tx, tenant, &filter, before, most).await?;
            let detail = json!({ "count": entries.len(), "client_id": caller.client_id() });
            audit::append(tx, &app.env, &app.keys, EventType::AuditViewed, detail).await?;
            Ok::<_, StoreError>(entries)
        })
        .await?;
    let is_full = i64::try_from(entries.len()).is_ok_and(|count| count == most);
    let next = entries.last().filter(|_| is_full).map(|entry| entry.index);
    Ok(Json(EventsBody {
        entries: entries.into_iter().map(EntryBody::from).collect(),
        next,
    }))
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
