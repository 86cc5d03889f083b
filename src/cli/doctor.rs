//! `lanyard doctor`: everything that can be wrong, and what to do.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::output::{Failure, Reply};
use super::site::{Reached, Site, configuration, runtime};
use crate::config::Given;
use crate::db::embedded::privilege;
use crate::db::standing::{self, Severity};
use crate::http::chain;
use crate::keys::MasterKeys;
use crate::signing::ring::{KeyRing, KeyRingError};
use crate::signing::service as signing;

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Check {
    #[serde(rename = "check")]
    subject: &'static str,
    /// ok, limit (served in spite of it) or refusal.
    verdict: &'static str,
    what: String,
    remedy: String,
}

impl Check {
    fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self {
            subject: check,
            verdict: "ok",
            what: what.into(),
            remedy: String::new(),
        }
    }

    fn refusal(check: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            subject: check,
            verdict: "refusal",
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    fn failure(check: &'static str, failure: Failure) -> Self {
        let (what, remedy) = failure.into_parts();
        Self::refusal(check, what, remedy)
    }
}

pub(super) fn run(given: &Given) -> Result<Reply, Failure> {
    // As root the process is replaced here, before anything is said.
    if privilege::is_root() {
        Site::enter(given)?;
    }
    let mut checks = Vec::new();
    match look(given, &mut checks) {
        Ok(()) => {}
        Err((check, failure)) => checks.push(Check::failure(check, failure)),
    }
    Ok(reply(&checks))
}

/// Looks as far as one thing lets it get to the next.
fn look(given: &Given, checks: &mut Vec<Check>) -> Result<(), (&'static str, Failure)> {
    let effective = configuration(given).map_err(|e| ("configuration", e))?;
    checks.push(Check::ok(
        "configuration",
        format!("issuer {}", effective.config().issuer),
    ));
    let site = Site::enter(given).map_err(|e| ("user", e))?;
    let master = site.master().map_err(|e| ("master key", e))?;
    checks.push(Check::ok(
        "master key",
        site.master_path().display().to_string(),
    ));
    let reached = site.attach(&master).map_err(|e| ("database", e))?;
    checks.push(Check::ok("database", format!("uses {}", reached.name)));
    let runtime = runtime().map_err(|e| ("threads", e))?;
    let outcome = runtime.block_on(look_inside(&site, &reached, master, checks));
    reached.leave();
    outcome
}

async fn look_inside(
    site: &Site,
    reached: &Reached,
    master: Arc<MasterKeys>,
    checks: &mut Vec<Check>,
) -> Result<(), (&'static str, Failure)> {
    reached
        .refuse_older_schema()
        .await
        .map_err(|e| ("schema", e))?;
    checks.push(Check::ok("schema", "up to date"));
    let standing = standing::inspect(&reached.connect).await;
    let standing = standing.map_err(|e| ("roles and rights", super::site::store(&e)))?;
    for finding in &standing.findings {
        checks.push(Check {
            subject: "roles and rights",
            verdict: match finding.severity {
                Severity::Refusal => "refusal",
                Severity::Limit => "limit",
            },
            what: format!("{}: {}", finding.what, finding.cost),
            remedy: finding.remedy.to_owned(),
        });
    }
    if standing.may_serve() {
        checks.push(Check::ok(
            "roles and rights",
            "no serving role has more than its plane's",
        ));
    }
    let db = reached.open(site, 4).await.map_err(|e| ("seal", e))?;
    let ring = match reached.open_keys(site, &db, master).await {
        Ok(keys) => look_at_ring(&db, site, &keys).await,
        Err(failure) => Check::failure("data keys", failure),
    };
    db.close().await;
    checks.push(ring);
    Ok(())
}

/// Opens what is there and makes nothing: a first start makes the keys.
async fn look_at_ring(db: &crate::db::Db, site: &Site, keys: &crate::secret::Keys) -> Check {
    const CHECK: &str = "signing keys";
    match crate::signing::ring::lives(db).await {
        Ok(keys) if keys.is_empty() => {
            return Check::ok(CHECK, "none yet: the first start makes them");
        }
        Ok(_) => {}
        Err(e) => return Check::failure(CHECK, super::site::store(&e)),
    }
    match KeyRing::load(db, &site.env, keys, signing::rules(&site.config)).await {
        Ok(_) => Check::ok(CHECK, "each opens and verifies what it signs"),
        Err(e @ KeyRingError::Sealed { .. }) => Check::refusal(
            CHECK,
            e.to_string(),
            "Put the master key of this database back.",
        ),
        Err(e) => Check::refusal(CHECK, chain(&e), "Restore the database, or tell us."),
    }
}

fn reply(checks: &[Check]) -> Reply {
    let line = |check: &Check| {
        let remedy = match check.remedy.as_str() {
            "" => String::new(),
            remedy => format!("         {}\n", remedy.replace('\n', "\n         ")),
        };
        format!(
            "{:<8} {}: {}\n{remedy}",
            check.verdict, check.subject, check.what
        )
    };
    let mut text: String = checks.iter().map(line).collect();
    let sound = checks.iter().all(|check| check.verdict != "refusal");
    text.push_str(if sound {
        "\nLanyard can serve."
    } else {
        "\nLanyard does not serve like this."
    });
    let reply = Reply::new(&json!({ "may_serve": sound, "checks": checks }), text);
    if sound { reply } else { reply.refused() }
}
