//! `lanyard verifiers`.

use serde::Serialize;
use time::OffsetDateTime;

use super::operator::Operator;
use super::output::{Failure, Reply, table};
use super::site::{self, Site};
use crate::revocation::model::Verifier;
use crate::revocation::policy;

/// A verifier as the command line tells of it.
#[derive(Serialize)]
struct Shown<'a> {
    tenant_id: String,
    client_id: &'a str,
    instance: &'a str,
    standing: &'static str,
    version: &'a str,
    keys_age_seconds: i64,
    position: Option<i64>,
    lag_milliseconds: Option<i64>,
    #[serde(with = "time::serde::rfc3339")]
    reported_at: OffsetDateTime,
}

impl<'a> Shown<'a> {
    fn of(verifier: &'a Verifier, now: OffsetDateTime) -> Self {
        let said = &verifier.standing;
        Self {
            tenant_id: verifier.tenant.to_string(),
            client_id: verifier.client.as_str(),
            instance: &said.instance,
            standing: policy::health(verifier, now).word(),
            version: &said.version,
            keys_age_seconds: said.keys_age_seconds,
            position: said.position,
            lag_milliseconds: said.lag_milliseconds,
            reported_at: verifier.reported_at,
        }
    }

    fn row(&self, now: OffsetDateTime) -> [String; 7] {
        let lag = self.lag_milliseconds.map(|lag| format!("{lag} ms"));
        let ago = (now - self.reported_at).whole_seconds().max(0);
        [
            self.client_id.to_owned(),
            self.instance.to_owned(),
            self.standing.to_owned(),
            self.version.to_owned(),
            format!("{} s", self.keys_age_seconds),
            lag.unwrap_or_else(|| "no stream".to_owned()),
            format!("{ago} s ago"),
        ]
    }
}

pub(super) fn run(site: &Site) -> Result<Reply, Failure> {
    site.operate(async |operator| list(operator).await)
}

async fn list(operator: &Operator<'_>) -> Result<Reply, Failure> {
    let all = operator.verifiers().await.map_err(|e| site::store(&e))?;
    let now = operator.now();
    let shown: Vec<Shown<'_>> = all
        .iter()
        .map(|verifier| Shown::of(verifier, now))
        .collect();
    if shown.is_empty() {
        return Ok(Reply::new(&shown, "No verifier has reported."));
    }
    let heads = [
        "client", "instance", "standing", "version", "keys", "lag", "reported",
    ];
    let text = table(heads, shown.iter().map(|one| one.row(now)));
    Ok(Reply::new(&shown, text))
}
