//! `lanyard audit hold`.

use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::log::{Hold, Logs};
use crate::cli::args::Hold as Asked;
use crate::cli::operator::Operator;
use crate::cli::output::{Failure, Reply, table};
use crate::cli::site::{self, Site};
use crate::cli::tenant;
use crate::db::StoreError;
use crate::pages::day_and_time;

/// A hold as the command line tells of it.
#[derive(Serialize)]
struct Shown {
    hold_id: String,
    tenant_id: String,
    matter: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    placed_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    lifted_at: Option<OffsetDateTime>,
}

impl From<Hold> for Shown {
    fn from(hold: Hold) -> Self {
        Self {
            hold_id: hold.hold_id.to_string(),
            tenant_id: hold.tenant_id.to_string(),
            matter: hold.matter,
            placed_at: hold.placed_at,
            lifted_at: hold.lifted_at,
        }
    }
}

pub(super) fn run(asked: &Asked, site: &Site) -> Result<Reply, Failure> {
    site.operate(async |operator| {
        let logs = operator.logs(&site.config.issuer);
        match asked {
            Asked::Add { tenant, matter } => add(operator, &logs, tenant, matter.as_deref()).await,
            Asked::List { tenant } => list(operator, &logs, tenant.as_deref()).await,
            Asked::Release { id, tenant } => release(operator, &logs, tenant, *id).await,
        }
    })
}

async fn add(
    operator: &Operator<'_>,
    logs: &Logs<'_>,
    slug: &str,
    matter: Option<&str>,
) -> Result<Reply, Failure> {
    let owner = tenant::load(operator, slug).await?;
    let placed = logs.place_hold(owner.id, matter).await;
    let id = placed.map_err(|error| match error {
        StoreError::Conflict { .. } => Failure::usage(
            "that is no reference of a matter",
            "Write letters, digits and ._/:- alone, 64 at most, and nothing about a person.",
        ),
        error => site::store(&error),
    })?;
    let facts = json!({ "hold_id": id, "tenant_id": owner.id, "matter": matter });
    let text = format!("Hold {id}: no entry of {slug} is dropped until it is released.");
    Ok(Reply::new(&facts, text))
}

async fn list(
    operator: &Operator<'_>,
    logs: &Logs<'_>,
    slug: Option<&str>,
) -> Result<Reply, Failure> {
    let owner = match slug {
        Some(slug) => Some(tenant::load(operator, slug).await?.id),
        None => None,
    };
    let holds = logs.holds(owner).await.map_err(|e| site::store(&e))?;
    let shown: Vec<Shown> = holds.into_iter().map(Shown::from).collect();
    if shown.is_empty() {
        return Ok(Reply::new(&shown, "Nothing is held."));
    }
    let rows = shown.iter().map(|hold| {
        [
            hold.hold_id.clone(),
            hold.tenant_id.clone(),
            hold.matter.clone().unwrap_or_default(),
            day_and_time(hold.placed_at),
            hold.lifted_at
                .map_or_else(|| "holds".to_owned(), day_and_time),
        ]
    });
    let text = table(["id", "log", "matter", "placed", "released"], rows);
    Ok(Reply::new(&shown, text))
}

async fn release(
    operator: &Operator<'_>,
    logs: &Logs<'_>,
    slug: &str,
    id: Uuid,
) -> Result<Reply, Failure> {
    let owner = tenant::load(operator, slug).await?;
    let lifted = logs.lift_hold(owner.id, id).await;
    if !lifted.map_err(|e| site::store(&e))? {
        return Err(Failure::refused(
            format!("no hold {id} keeps the entries of {slug}"),
            "`lanyard audit hold list` shows all.",
        ));
    }
    let facts = json!({ "hold_id": id, "released": true });
    Ok(Reply::new(&facts, format!("Hold {id} is released.")))
}
