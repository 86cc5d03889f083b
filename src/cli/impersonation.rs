//! `lanyard impersonation`.

use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::args::Impersonation as Asked;
use super::operator::Operator;
use super::output::{Failure, Reply, table};
use super::site::{self, Site};
use super::tenant;
use crate::impersonation::{EndCause, Grant, ImpersonationId, Rule};
use crate::pages::day_and_time;

/// A grant as the command line tells of it.
#[derive(Serialize)]
struct Shown<'a> {
    impersonation_id: String,
    subject_id: String,
    actor_id: String,
    actor_name: &'a str,
    ticket: &'a str,
    preset: &'static str,
    minutes: i16,
    state: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    end_cause: Option<&'static str>,
}

impl<'a> From<&'a Grant> for Shown<'a> {
    fn from(grant: &'a Grant) -> Self {
        Self {
            impersonation_id: grant.id.to_string(),
            subject_id: grant.subject.to_string(),
            actor_id: grant.actor.to_string(),
            actor_name: &grant.actor_name,
            ticket: &grant.ticket,
            preset: grant.preset.as_str(),
            minutes: grant.minutes,
            state: grant.state.as_str(),
            requested_at: grant.requested_at,
            started_at: grant.started_at,
            ended_at: grant.ended_at,
            end_cause: grant.end_cause.map(EndCause::as_str),
        }
    }
}

pub(super) fn run(asked: &Asked, site: &Site) -> Result<Reply, Failure> {
    match asked {
        Asked::Policy { slug, rule } => {
            site.operate(async |o| set_rule(o, slug, Rule::from(*rule)).await)
        }
        Asked::List { slug } => site.operate(async |o| list(o, slug).await),
        Asked::End { slug, id, .. } => site.operate(async |o| end(o, slug, *id).await),
    }
}

async fn set_rule(operator: &Operator<'_>, slug: &str, rule: Rule) -> Result<Reply, Failure> {
    let tenant = tenant::load(operator, slug).await?;
    let changed = operator
        .set_impersonation_rule(tenant.id, rule)
        .await
        .map_err(|e| site::store(&e))?;
    let word = rule.as_str();
    let facts = json!({
        "tenant_id": tenant.id.to_string(), "slug": slug, "rule": word, "changed": changed,
    });
    let verb = if changed { "is" } else { "was already" };
    let text = format!("Support that acts as members of clinic {slug} {verb}: {word}.");
    Ok(Reply::new(&facts, text))
}

async fn list(operator: &Operator<'_>, slug: &str) -> Result<Reply, Failure> {
    let tenant = tenant::load(operator, slug).await?;
    let found = operator.find_impersonations(tenant.id).await;
    let (rule, grants) = found.map_err(|e| site::store(&e))?;
    let shown: Vec<Shown<'_>> = grants.iter().map(Shown::from).collect();
    let rows = shown.iter().map(|grant| {
        [
            grant.impersonation_id.clone(),
            grant.state.to_owned(),
            grant.actor_name.to_owned(),
            grant.subject_id.clone(),
            grant.ticket.to_owned(),
            day_and_time(grant.requested_at),
        ]
    });
    let heads = ["id", "state", "actor", "as", "ticket", "asked"];
    let text = format!("Rule: {}\n{}", rule.as_str(), table(heads, rows));
    let facts = json!({ "slug": slug, "rule": rule.as_str(), "impersonations": shown });
    Ok(Reply::new(&facts, text))
}

async fn end(
    operator: &Operator<'_>,
    slug: &str,
    id: Option<ImpersonationId>,
) -> Result<Reply, Failure> {
    let tenant = tenant::load(operator, slug).await?;
    let ended = operator.end_impersonations(tenant.id, id).await;
    let ended = ended.map_err(|e| site::store(&e))?;
    let facts = json!({ "slug": slug, "ended": ended });
    Ok(Reply::new(
        &facts,
        format!("Ended at clinic {slug}: {ended}."),
    ))
}
