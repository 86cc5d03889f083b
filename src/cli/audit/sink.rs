//! `lanyard audit sink`.

use std::path::Path;

use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use crate::audit::sinks::{Address, Form, Kind, NewSink, Sink, SinkError, SinkId, Sinks};
use crate::cli::args::{NewSink as Asked, Sink as SinkAsked, SinkForm};
use crate::cli::operator::Operator;
use crate::cli::output::{Failure, Reply, table};
use crate::cli::site::{self, Site};
use crate::cli::{tenant, typed};

/// A sink as the command line tells of it. Never its secret.
#[derive(Serialize)]
struct Shown {
    sink_id: String,
    tenant_id: String,
    address: String,
    form: &'static str,
    next_index: i64,
    behind: i64,
    failures: i32,
    failure: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    failing_since: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    sent_at: Option<OffsetDateTime>,
}

impl From<Sink> for Shown {
    fn from(sink: Sink) -> Self {
        Self {
            sink_id: sink.id.to_string(),
            tenant_id: sink.tenant.to_string(),
            address: sink.address.to_string(),
            form: words(sink.address.kind(), sink.form),
            next_index: sink.next_index,
            behind: sink.behind,
            failures: sink.failures,
            failure: sink.failure,
            failing_since: sink.failing_since,
            sent_at: sink.sent_at,
        }
    }
}

const fn words(kind: Kind, form: Form) -> &'static str {
    match kind {
        Kind::Https => form.as_str(),
        Kind::Syslog => "syslog",
    }
}

pub(super) fn run(asked: &SinkAsked, site: &Site) -> Result<Reply, Failure> {
    match asked {
        SinkAsked::Add(new) => {
            // Before the database is opened: who mistypes is told at once.
            let (address, authority) = (address(new)?, authority(new.ca_file.as_deref())?);
            let secret = new.secret.then(typed::bearer_secret).transpose()?;
            site.operate(async |operator| {
                let owner = tenant::load(operator, &new.tenant).await?;
                let new = NewSink {
                    tenant: owner.id,
                    form: form(new.words),
                    from: new.from,
                    address,
                    authority,
                    secret,
                };
                add(&operator.sinks(&site.config.issuer), &new).await
            })
        }
        SinkAsked::List { tenant } => {
            site.operate(async |o| list(o, site, tenant.as_deref()).await)
        }
        SinkAsked::Remove { id, tenant } => {
            site.operate(async |o| remove(o, site, tenant, *id).await)
        }
        SinkAsked::Test { id, tenant } => site.operate(async |o| test(o, site, tenant, *id).await),
    }
}

fn address(new: &Asked) -> Result<Address, Failure> {
    let address = Address::parse(&new.address).map_err(|why| {
        let what = format!("{} can't be an address of a sink", new.address);
        Failure::usage(what, format!("{why}."))
    })?;
    let is_syslog = address.kind() == Kind::Syslog;
    if is_syslog && (new.secret || new.words == SinkForm::Ocsf) {
        return Err(Failure::usage(
            "syslog has neither a secret nor other words",
            "Post to an address with https for those.",
        ));
    }
    if new.ca_file.is_some() && !address.has_tls() {
        return Err(Failure::usage(
            "nobody is believed without TLS",
            "Leave --ca-file out.",
        ));
    }
    Ok(address)
}

fn authority(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(file) = file else {
        return Ok(None);
    };
    let read = std::fs::read_to_string(file);
    let pem = read.map_err(|e| {
        let what = format!("{} can't be read: {e}", file.display());
        Failure::refused(what, "Name a file of certificates in PEM.")
    })?;
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        let what = format!("{} holds no certificate in PEM", file.display());
        return Err(Failure::refused(what, "Name another file."));
    }
    Ok(Some(pem))
}

const fn form(words: SinkForm) -> Form {
    match words {
        SinkForm::Line => Form::Line,
        SinkForm::Ocsf => Form::Ocsf,
    }
}

async fn add(sinks: &Sinks<'_>, new: &NewSink) -> Result<Reply, Failure> {
    let added = sinks.add(new).await.map_err(|error| match error {
        SinkError::Store(error) => site::store(&error),
        SinkError::NoSuchEntry { .. } => {
            Failure::refused(error.to_string(), "Name an earlier one with --from.")
        }
    });
    let (id, from) = added?;
    let facts = json!({ "sink_id": id, "tenant_id": new.tenant, "from": from });
    let text = format!(
        "Sink {id} is sent every entry from {from} on. `lanyard audit sink test` tries it; \
         `lanyard audit sink list` says how it stands."
    );
    Ok(Reply::new(&facts, text))
}

async fn list(operator: &Operator<'_>, site: &Site, slug: Option<&str>) -> Result<Reply, Failure> {
    let owner = match slug {
        Some(slug) => Some(tenant::load(operator, slug).await?.id),
        None => None,
    };
    let all = operator.sinks(&site.config.issuer).list(owner).await;
    let all = all.map_err(|e| site::store(&e))?;
    let shown: Vec<Shown> = all.into_iter().map(Shown::from).collect();
    if shown.is_empty() {
        return Ok(Reply::new(&shown, "No log is sent anywhere."));
    }
    let heads = ["id", "log", "address", "as", "next", "behind", "standing"];
    let rows = shown.iter().map(|sink| {
        let standing = sink.failure.as_ref().map_or_else(
            || "well".to_owned(),
            |why| format!("{why}, {} times", sink.failures),
        );
        [
            sink.sink_id.clone(),
            sink.tenant_id.clone(),
            sink.address.clone(),
            sink.form.to_owned(),
            sink.next_index.to_string(),
            sink.behind.to_string(),
            standing,
        ]
    });
    Ok(Reply::new(&shown, table(heads, rows)))
}

async fn remove(
    operator: &Operator<'_>,
    site: &Site,
    slug: &str,
    id: SinkId,
) -> Result<Reply, Failure> {
    let owner = tenant::load(operator, slug).await?;
    let sinks = operator.sinks(&site.config.issuer);
    let removed = sinks.remove(owner.id, id).await;
    if !removed.map_err(|e| site::store(&e))? {
        return Err(unknown(slug, id));
    }
    let facts = json!({ "sink_id": id, "removed": true });
    Ok(Reply::new(
        &facts,
        format!("Sink {id} is sent nothing any more."),
    ))
}

async fn test(
    operator: &Operator<'_>,
    site: &Site,
    slug: &str,
    id: SinkId,
) -> Result<Reply, Failure> {
    let owner = tenant::load(operator, slug).await?;
    let sinks = operator.sinks(&site.config.issuer);
    let probed = sinks.probe(owner.id, id).await;
    let Some(probed) = probed.map_err(|e| site::store(&e))? else {
        return Err(unknown(slug, id));
    };
    let index = probed.index;
    let failure = probed.failed.map(|failed| failed.to_string());
    let facts =
        json!({ "sink_id": id, "index": index, "taken": failure.is_none(), "failure": failure });
    match failure {
        None => Ok(Reply::new(
            &facts,
            format!("The receiver took entry {index}."),
        )),
        Some(why) => {
            let text = format!("The receiver did not take entry {index}: {why}.");
            Ok(Reply::new(&facts, text).refused())
        }
    }
}

fn unknown(slug: &str, id: SinkId) -> Failure {
    Failure::refused(
        format!("the log of {slug} has no sink {id}, or no entry to send"),
        "`lanyard audit sink list` shows all.",
    )
}
