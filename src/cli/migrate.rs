//! `lanyard migrate`, and the one-time secret that a new administrator is made with.

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::operator::Operator;
use super::output::{Failure, Reply, instant};
use super::site::{self, Reached, Site, runtime};
use crate::db::migrate::{Migrated, migrate};
use crate::identity::bootstrap::IssuedBootstrap;
use crate::keys::MasterKeys;

/// What bringing up the schema did, and the secret if nobody administers the platform.
#[derive(Debug)]
pub(super) struct Done {
    migrated: Migrated,
    bootstrap: Option<IssuedBootstrap>,
}

pub(super) fn run(site: &Site) -> Result<Reply, Failure> {
    let master = site.master()?;
    let reached = site.attach(&master)?;
    let outcome = runtime()?.block_on(bring_up(site, &reached, &master));
    let name = reached.name.clone();
    reached.leave();
    let done = outcome?;
    Ok(done.reply(&name))
}

/// Migrates, makes the platform's tenant, and a one-time secret while nobody administers it.
pub(super) async fn bring_up(
    site: &Site,
    reached: &Reached,
    master: &Arc<MasterKeys>,
) -> Result<Done, Failure> {
    let migrated = migrate(&reached.connect)
        .await
        .map_err(|e| site::migration(&e, &reached.name))?;
    let db = reached.open(site, 4).await?;
    let bootstrap = async {
        let keys = reached.open_keys(site, &db, Arc::clone(master)).await?;
        let operator = Operator::new(&db, &site.env, &keys);
        let issued = async {
            operator.ensure_platform().await?;
            operator.ensure_data_keys().await?;
            if operator.has_administrator().await? {
                return Ok(None);
            }
            Ok(operator.issue_bootstrap().await.map(Some)?)
        };
        issued.await.map_err(|e| site::no_keys(&e))
    };
    let bootstrap = bootstrap.await;
    db.close().await;
    Ok(Done {
        migrated,
        bootstrap: bootstrap?,
    })
}

impl Done {
    pub(super) fn reply(&self, name: &str) -> Reply {
        let refused: Vec<Value> = self
            .migrated
            .not_revoked
            .iter()
            .map(|(statement, reason)| json!({ "statement": statement, "reason": reason }))
            .collect();
        let facts = json!({
            "database": name,
            "applied": self.migrated.applied,
            "not_revoked": refused,
            "bootstrap": self.bootstrap.as_ref().map(facts),
        });
        let mut text = match self.migrated.applied {
            0 => format!("The schema of {name} was up to date.\n"),
            count => format!("Applied {count} migrations to {name}.\n"),
        };
        if !refused.is_empty() {
            text.push_str("This host does not allow everything that Lanyard asked to revoke: ");
            text.push_str("`lanyard doctor` says what that costs.\n");
        }
        if let Some(issued) = &self.bootstrap {
            text.push_str("\nNobody administers the platform yet.\n");
            text.push_str(&shown(issued));
        }
        Reply::new(&facts, text)
    }
}

/// `lanyard recover administrator`.
pub(super) fn recover(site: &Site) -> Result<Reply, Failure> {
    site.operate(async |operator| {
        let issued = operator
            .issue_bootstrap()
            .await
            .map_err(|e| site::store(&e))?;
        Ok(Reply::new(&facts(&issued), shown(&issued)))
    })
}

fn facts(issued: &IssuedBootstrap) -> Value {
    json!({
        "secret": issued.secret.secret().expose_secret(),
        "expires_at": instant(issued.expires_at),
    })
}

fn shown(issued: &IssuedBootstrap) -> String {
    format!(
        "One-time secret, shown once and good until {}:\n\n  {}\n\nMake the administrator with it:\
         \n\n  lanyard account create --bootstrap --login root@example.com --name 'Root'\n",
        instant(issued.expires_at),
        issued.secret.secret().expose_secret(),
    )
}
