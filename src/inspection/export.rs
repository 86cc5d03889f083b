//! `/api/v1/audit/export`: the clinic's log, taken along, in the form that `lanyard audit verify`
//! checks.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use lanyard_verifier::Verified;
use serde::Deserialize;
use serde_json::{Map, json};
use utoipa::ToSchema;
use utoipa::openapi::path::Parameter;

use super::routes::{LARGEST, number};
use crate::app::App;
use crate::audit::log::{Export, ExportError, LogError, Logs, Wanted};
use crate::db::{AccessClass, Authority, StoreError, Tenancy};
use crate::http::chain;
use crate::http::pieces::{Cut, Pieces};
use crate::http::problem::Problem;
use crate::ids::TenantId;

/// So many at a time in a process: each reads as fast as its reader takes it.
const AT_ONCE: usize = 16;
/// Seconds after which it is worth asking whether the clinic's own is done.
const AGAIN_IN: i64 = 10;
static TAKEN_BY: Mutex<BTreeSet<TenantId>> = Mutex::new(BTreeSet::new());

/// A place for one export; a clinic has one in a process, so that none takes those of the others.
#[derive(Debug)]
struct Place(TenantId);

impl Place {
    fn take(tenant: TenantId) -> Result<Self, Problem> {
        let mut taken_by = taken_by();
        if taken_by.len() >= AT_ONCE {
            return Err(Problem::Busy);
        }
        if !taken_by.insert(tenant) {
            return Err(Problem::TooOften { again_in: AGAIN_IN });
        }
        Ok(Self(tenant))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        taken_by().remove(&self.0);
    }
}

fn taken_by() -> MutexGuard<'static, BTreeSet<TenantId>> {
    TAKEN_BY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which entries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportQuery {
    #[serde(default)]
    from: u64,
    to: Option<u64>,
}

/// What the description of the API says of [`ExportQuery`].
pub fn parameters() -> Vec<Parameter> {
    vec![
        number("from", 0..=LARGEST, "The first entry; 0 if it is not said."),
        number(
            "to",
            0..=LARGEST,
            "The index after the last one; without it, to the log's end.",
        ),
    ]
}

/// Lines of JSON, signed, with all that proves them: docs/AUDIT-FORMAT.md.
#[derive(Debug, ToSchema)]
#[schema(as = LogExport)]
pub struct ExportBody(#[expect(dead_code, reason = "for the description alone")] String);

/// `GET /api/v1/audit/export?from=&to=`. On the record before its first byte.
pub async fn export(
    State(app): State<App>,
    caller: Verified,
    query: Result<Query<ExportQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Ok(Query(ExportQuery { from, to })) = query else {
        return Err(Problem::BadRequest { field: "from" });
    };
    let tenant = TenantId::from_uuid(caller.tenant().as_uuid());
    let place = Place::take(tenant)?;
    let wanted = Wanted {
        tenant,
        from,
        to,
        disclose: false,
    };
    let client = Map::from_iter([("client_id".to_owned(), json!(caller.client_id()))]);
    let authority = move || Authority::<Tenancy>::of(&caller, AccessClass::Auditor);
    let key_lifetime = app.config.audit.key_lifetime;
    let begun = Logs::of(&app)
        .begin_export(wanted, authority, key_lifetime, client)
        .await
        .map_err(refused)?;
    let entries = begun.entries();
    let (pieces, body) = Pieces::begin();
    tokio::spawn(give(app, begun, pieces, place));
    let name = format!("audit-{}-{}-{}", wanted.tenant, entries.start, entries.end);
    let disposition = format!("attachment; filename=\"{name}.ndjson\"");
    let disposition = HeaderValue::from_str(&disposition).expect("ids and numbers");
    let lines = HeaderValue::from_static("application/x-ndjson");
    let headers = [(CONTENT_TYPE, lines), (CONTENT_DISPOSITION, disposition)];
    Ok((headers, body).into_response())
}

/// Gives all of it, as fast as it is taken.
async fn give<A: Fn() -> Authority<Tenancy> + Send + Sync>(
    app: App,
    mut export: Export<A>,
    pieces: Pieces,
    place: Place,
) {
    let logs = Logs::of(&app);
    let cut = |error: ExportError| {
        tracing::error!(detail = %chain(&error), "an export was cut short");
        Cut::from(error)
    };
    while pieces.give(logs.more(&mut export).await.map_err(cut)).await {}
    // Before the body's end: whoever has all of it may ask again.
    drop(place);
}

fn refused(error: ExportError) -> Problem {
    match error {
        ExportError::NoSuchEntries { .. } | ExportError::Gone { .. } => Problem::NotFound,
        ExportError::Log(LogError::Store(error)) => Problem::Store(error),
        error => {
            tracing::error!(detail = %chain(&error), "an export can't be made");
            let what = "what no export can be made of";
            Problem::Store(StoreError::Corrupt {
                table: "audit.log",
                what,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_clinic_has_one_place_and_leaves_the_others_theirs() {
        let clinic = |n| TenantId::from_uuid(Uuid::from_u128(n));
        let first = Place::take(clinic(1)).expect("nobody has one");
        let again = Place::take(clinic(1)).map(drop);
        assert!(
            matches!(again, Err(Problem::TooOften { again_in: AGAIN_IN })),
            "{again:?}"
        );
        let other = Place::take(clinic(2));
        assert!(other.is_ok(), "{other:?}");
        drop(first);
        let again = Place::take(clinic(1));
        assert!(again.is_ok(), "{again:?}");
    }
}
