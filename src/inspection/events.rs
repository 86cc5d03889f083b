//! `/api/v1/audit/events`: the clinic's log by the page, backward for people, forward for programs
//! that follow it.

use std::borrow::Cow;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{KnownFormat, Object, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::model::{Entry, Filter, is_trace, patterns, types};
use super::routes::{LARGEST, number, parameter};
use super::store;
use crate::app::App;
use crate::audit::format::Line;
use crate::audit::siem::ocsf;
use crate::audit::{self, EventType};
use crate::db::{AccessClass, Authority, StoreError, Tenancy, Tx};
use crate::http::problem::Problem;

/// Entries on a page, if nothing is said of it.
const USUAL: i64 = 100;
/// And at most.
const MOST: i64 = 500;

/// In whose words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Words {
    /// Ours.
    #[default]
    Entry,
    /// Of the Open Cybersecurity Schema Framework.
    Ocsf,
    /// The log's own, byte by byte.
    Line,
}

/// Which entries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    before: Option<i64>,
    after: Option<i64>,
    most: Option<i64>,
    person: Option<Uuid>,
    actor: Option<Uuid>,
    #[serde(rename = "type")]
    kind: Option<String>,
    trace: Option<String>,
    tenant: Option<Uuid>,
    #[serde(default, rename = "as")]
    words: Words,
}

/// What the description of the API says of [`EventsQuery`].
pub fn parameters() -> Vec<Parameter> {
    let text = || Object::builder().schema_type(Type::String);
    let uuid = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    let id = || text().format(Some(uuid.clone())).build();
    let of_type = text().enum_values(Some(patterns())).build();
    let trace = text().pattern(Some("^[0-9A-Za-z_.:-]{1,128}$")).build();
    let words = text().enum_values(Some(["entry", "ocsf", "line"])).build();
    vec![
        number(
            "before",
            0..=LARGEST,
            "Entries before this index, the latest first; without it, and without `after`, the \
             latest of all.",
        ),
        number(
            "after",
            -1..=LARGEST,
            "Entries after this index, the earliest first and none left out; -1 for the log's \
             beginning. Goes with no filter.",
        ),
        number("most", 1..=MOST, "How many at most; 100 if it is not said."),
        parameter(
            "person",
            "Of the member with this id; in the platform's record, of the account with it too.",
            id(),
        ),
        parameter("actor", "Done by this one for somebody else.", id()),
        parameter(
            "type",
            "A type, or all of a noun, as in `sign_in.*`.",
            of_type,
        ),
        parameter("trace", "Of the request with this id.", trace),
        parameter(
            "tenant",
            "About the clinic with this id: the platform's record is of all.",
            id(),
        ),
        parameter(
            "as",
            "`ocsf`: each entry as an OCSF 1.6 event; `line`: as it was hashed for the log's tree, \
             to prove it by; `entry` otherwise.",
            words,
        ),
    ]
}

/// Which way the log is read.
#[derive(Debug)]
enum Asked {
    /// The latest first, before an index.
    Back(Filter, i64),
    /// The earliest first, after an index, without a gap.
    On(i64),
}

impl EventsQuery {
    fn read(self) -> Result<Asked, Problem> {
        let wrong = |field| Err(Problem::BadRequest { field });
        if !self.before.is_none_or(|at| (0..=LARGEST).contains(&at)) {
            return wrong("before");
        }
        if !self.after.is_none_or(|at| (-1..=LARGEST).contains(&at)) {
            return wrong("after");
        }
        if self.trace.as_deref().is_some_and(|trace| !is_trace(trace)) {
            return wrong("trace");
        }
        let types = match self.kind.as_deref().map(types) {
            Some(None) => return wrong("type"),
            meant => meant.flatten(),
        };
        let filter = Filter {
            person: self.person,
            actor: self.actor,
            types,
            trace: self.trace,
            tenant: self.tenant,
        };
        match self.after {
            None => Ok(Asked::Back(filter, self.before.unwrap_or(LARGEST))),
            Some(after) if self.before.is_none() && filter.is_empty() => Ok(Asked::On(after)),
            // A log with entries left out looks like one from which some were taken.
            Some(_) => wrong("after"),
        }
    }
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
    /// The id of the request that did it; null if none did.
    #[schema(examples("8f14e45fceea167a"))]
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

/// An entry, in the words that were asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = LogEntryInWords)]
enum SaidBody {
    /// As the log has it.
    Entry(EntryBody),
    /// As an OCSF 1.6 event; `metadata.sequence` is its place in the log.
    Ocsf(OcsfBody),
    /// As its line, whose hash is a leaf of the log's tree: docs/AUDIT-FORMAT.md.
    Line(LineBody),
}

/// One line of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogLine)]
struct LineBody {
    /// JSON, without the break at its end.
    line: String,
}

/// The event of `docs/AUDIT.md`, "In others' words".
#[derive(Debug, Serialize)]
struct OcsfBody(Value);

impl PartialSchema for OcsfBody {
    fn schema() -> RefOr<Schema> {
        let number = || Object::with_type(Type::Integer);
        let event = Object::builder()
            .description(Some("An event of OCSF 1.6 (https://schema.ocsf.io)."))
            .property("class_uid", number())
            .property("time", number())
            .property("metadata", Object::with_type(Type::Object))
            .required("class_uid")
            .required("time")
            .required("metadata");
        Schema::from(event.build()).into()
    }
}

impl ToSchema for OcsfBody {
    fn name() -> Cow<'static, str> {
        "OcsfEvent".into()
    }
}

/// A page of the log: the latest entry first, or the earliest after `after`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogPage)]
pub struct EventsBody {
    entries: Vec<SaidBody>,
    /// `before` of the next page, if there may be one; or where to go on: `after` of the next
    /// request.
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
    let (most, words) = (query.most.unwrap_or(USUAL), query.words);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::BadRequest { field: "most" });
    }
    let asked = query.read()?;
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::Auditor);
    let lines = app
        .db
        .run(authority, async |tx| {
            let lines = read(tx, &asked, most).await?;
            let detail = json!({ "count": lines.len(), "client_id": caller.client_id() });
            audit::append(tx, &app.env, &app.keys, EventType::AuditViewed, detail).await?;
            Ok::<_, StoreError>(lines)
        })
        .await?;
    let entries = lines.iter().map(|line| Entry::of_line(line));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    let last = entries.last().map(|entry| entry.index);
    let is_full = i64::try_from(entries.len()).is_ok_and(|count| count == most);
    let next = match asked {
        Asked::Back(..) => last.filter(|_| is_full),
        Asked::On(after) => Some(last.unwrap_or(after)),
    };
    let said = entries.into_iter().zip(&lines);
    let said = said.map(|(entry, line)| said_as(words, entry, line));
    Ok(Json(EventsBody {
        entries: said.collect(),
        next,
    }))
}

async fn read(tx: &mut Tx<Tenancy>, asked: &Asked, most: i64) -> Result<Vec<String>, StoreError> {
    let tenant = tx.tenant()?;
    match asked {
        Asked::Back(filter, before) => store::page(tx, tenant, filter, *before, most).await,
        Asked::On(after) => store::lines_after(tx, tenant, *after, most).await,
    }
}

/// The account stays where it is, in others' words too: [`Entry`] says why. In a line it is what
/// an export has as well: without it nothing could be proven.
fn said_as(words: Words, entry: Entry, line: &str) -> SaidBody {
    match (words, Line::parse(line)) {
        (Words::Ocsf, Some(parsed)) => {
            let account = None;
            SaidBody::Ocsf(OcsfBody(ocsf(&Line { account, ..parsed })))
        }
        (Words::Line, _) => SaidBody::Line(LineBody {
            line: line.to_owned(),
        }),
        (Words::Entry, _) | (Words::Ocsf, None) => SaidBody::Entry(EntryBody::from(entry)),
    }
}
