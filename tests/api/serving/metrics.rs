//! What operators read, as the document has it and as Prometheus reads it.

use std::collections::BTreeMap;

use lanyard::metrics::{Answered, JobEnd, Turned};
use lanyard::server::Leaving;

use super::operations;
use crate::lab::Lab;
use crate::lab::script::Interpreter;

/// Name, type and meaning of every metric; the name as it is queried, so with its ending.
fn told(text: &str) -> BTreeMap<String, (String, String)> {
    let mut kinds = BTreeMap::new();
    let mut told = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' ')) {
            kinds.insert(name.to_owned(), kind.to_owned());
        }
    }
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) {
            let kind = kinds[name].clone();
            let ending = match kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            told.insert(format!("{name}{ending}"), (kind, help.to_owned()));
        }
    }
    told
}

/// A series is told of once there is something to tell.
fn tell_of_everything(lab: &Lab) {
    let metrics = &lab.app.metrics;
    metrics.answered(&Answered {
        face: "issuer",
        method: "GET",
        route: "/jwks",
        status: 200,
        took: std::time::Duration::from_millis(1),
    });
    metrics.request_began("issuer");
    metrics.connection_opened("issuer");
    metrics.turned_away("issuer", Turned::Requests);
    metrics.request_panicked("issuer");
    metrics.job_ran("mail", JobEnd::Done, lab.now());
    metrics.signed_in("entered");
    metrics.factor_typed("totp", "accepted");
    metrics.factor_enrolled("accepted");
    metrics.token_answered("refresh_token", "issued");
    metrics.refreshed("rotated");
}

/// The table of docs/OPERATIONS.md is the list of metrics: name, type, meaning.
#[tokio::test]
async fn the_table_of_metrics_is_what_is_told() {
    let lab = Lab::new().await;
    tell_of_everything(&lab);
    let page = include_str!("../../../docs/OPERATIONS.md");
    let section = page.split("\n## Metrics").nth(1).expect("a section");
    let section = section.split("\n## ").next().unwrap();
    let documented: BTreeMap<_, _> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let name = cells[0].trim_end_matches('`').to_owned();
            (name, (cells[1].to_owned(), format!("{}.", cells[2])))
        })
        .collect();
    assert_eq!(documented, told(&lab.app.metrics.text(&lab.app)));
}

/// Issue 3: read by Prometheus's own parser, after a request was answered.
#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_the_metrics() {
    let lab = Lab::new().await;
    assert_eq!(lab.browser().get("/jwks").await.status, 200);
    let address = operations(&lab, &Leaving::default()).await;
    let given = [("METRICS", &*format!("{address}/metrics"))];
    lab.run(Interpreter::Python, "clients/openmetrics.py", &[], &given)
        .await;
}
