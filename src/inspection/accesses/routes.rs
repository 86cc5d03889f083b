//! `/api/v1/audit/accesses`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::path::Parameter;

use super::store::{self, Seen};
use crate::app::App;
use crate::db::{AccessClass, Authority, StoreError, Tenancy};
use crate::http::problem::Problem;
use crate::ids::SubjectId;
use crate::inspection::page::{self, Page};
use crate::inspection::routes::{LARGEST, number};
use crate::tenancy::members::store as members;

/// Which page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessQuery {
    before: Option<i64>,
}

/// What the description of the API says of [`AccessQuery`].
pub fn parameters() -> Vec<Parameter> {
    vec![number(
        "before",
        0..=LARGEST,
        "Those before this index; without it the latest.",
    )]
}

/// Each time that somebody saw the caller's record at this clinic, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Accesses)]
pub struct AccessesBody {
    /// `before` of the next page; null on the last.
    next: Option<i64>,
    accesses: Vec<AccessBody>,
}

/// One time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Access)]
struct AccessBody {
    /// Its place in the clinic's log.
    index: i64,
    /// What was done, as the log names it.
    #[serde(rename = "type")]
    #[schema(examples("visit.listed"))]
    event: String,
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
    by: ByBody,
    /// Whether somebody else used that person's right: support staff, or a proxy.
    was_acted: bool,
    /// The proxy's name, if one did.
    #[schema(examples("Pat Quill"))]
    proxy: Option<String>,
}

/// Whose right it was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessBy)]
struct ByBody {
    /// Null for who is no member any more.
    #[schema(examples("Ada Quill"))]
    name: Option<String>,
    /// Whether it was the caller herself.
    is_you: bool,
}

/// `GET /api/v1/audit/accesses?before=`: who saw the caller's record (45 CFR 164.528).
pub async fn list(
    State(app): State<App>,
    caller: Verified,
    query: Result<Query<AccessQuery>, QueryRejection>,
) -> Result<Json<AccessesBody>, Problem> {
    let Ok(Query(query)) = query else {
        return Err(Problem::BadRequest { field: "before" });
    };
    if !query.before.is_none_or(|at| (0..=LARGEST).contains(&at)) {
        return Err(Problem::BadRequest { field: "before" });
    }
    let patient = SubjectId::from_uuid(caller.subject().as_uuid());
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::Patient);
    let (page, names) = app
        .db
        .run(authority.read_only(), async |tx| {
            let tenant = tx.tenant()?;
            let before = query.before.unwrap_or(i64::MAX);
            let seen = store::list(tx, (tenant, patient), before, page::ASKED).await?;
            let page = Page::of(seen, |one| one.leaf_index);
            let people = |one: &Seen| [Some(one.by_subject), one.actor_id];
            let mut who: Vec<_> = page.rows.iter().flat_map(people).flatten().collect();
            who.sort_unstable();
            who.dedup();
            let who = members::list_named(tx, tenant, &who).await?;
            let names: HashMap<_, _> = who
                .into_iter()
                .map(|member| (member.subject_id, member.display_name))
                .collect();
            Ok::<_, StoreError>((page, names))
        })
        .await?;
    let access = |seen: Seen| AccessBody {
        index: seen.leaf_index,
        event: seen.event,
        recorded_at: seen.recorded_at,
        by: ByBody {
            name: names.get(&seen.by_subject).cloned(),
            is_you: seen.by_subject == patient,
        },
        was_acted: seen.was_acted,
        // Support is no member of the clinic.
        proxy: seen.actor_id.and_then(|actor| names.get(&actor).cloned()),
    };
    Ok(Json(AccessesBody {
        next: page.next,
        accesses: page.rows.into_iter().map(access).collect(),
    }))
}
