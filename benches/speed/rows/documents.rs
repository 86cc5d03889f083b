//! What answers without a question cost: discovery and JWKS.

use std::process::{Command, Stdio};

use anyhow::Result;
use axum::Router;
use axum::routing::get;
use rustix::process::Signal;
use url::Url;

use super::Run;
use super::refresh::ratios;
use crate::figure::{Figure, median};
use crate::load::{self, Get, Outcome, Span};
use crate::place::Running;
use crate::say;
use crate::site::free_port;

const CLIENTS: usize = 16;

/// The least that an axum server can do, as its own first example does it.
pub(crate) fn be_hello(port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let hello = Router::new().route("/", get(async || "Hello, World!"));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        axum::serve(listener, hello).await?;
        Ok(())
    })
}

async fn read(address: &Url, clients: usize, span: Span, pid: u32) -> Result<Outcome> {
    let callers = (0..clients).map(|_| Get::new(address.clone()));
    let callers = callers.collect::<Result<Vec<_>>>()?;
    let (outcome, _) = load::drive(callers, span, &[pid]).await?;
    outcome.clean(address.path())
}

async fn hello() -> Result<(Running, Url)> {
    let port = free_port()?;
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .arg(std::env::current_exe()?)
        .args(["--hello", &port.to_string()])
        .stdin(Stdio::null());
    let running = Running::new(command, Signal::KILL)?;
    let address = Url::parse(&format!("http://127.0.0.1:{port}/"))?;
    for _ in 0..100 {
        let answer = load::Connection::new(&address)?.get(&address, &[]).await;
        if answer.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok((running, address))
}

pub(super) async fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let (plan, clients) = (run.plan, CLIENTS.min(run.plan.clients()[0]));
    let (hello, hello_address) = hello().await?;
    let (site, served) = run.serve("main").await?;
    let discovery = load::discovery(&site.issuer)?;
    let jwks = served.endpoints.jwks_uri.clone();
    let (mut base, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds() {
        let outcome = read(&hello_address, clients, plan.turn(), hello.pid()).await?;
        base.push(outcome.cpu_us());
        let outcome = read(&discovery, clients, plan.turn(), served.pid()).await?;
        first.push(outcome.cpu_us());
        let outcome = read(&jwks, clients, plan.turn(), served.pid()).await?;
        second.push(outcome.cpu_us());
        let at = round - 1;
        say(&format!(
            "  round {round}: hello {:.1} us, discovery {:.1} us, JWKS {:.1} us",
            base[at], first[at], second[at]
        ));
    }
    let figure = |what: &str, samples: &[f64]| {
        Figure::new(
            "documents",
            format!("{what}, CPU a request against an axum hello-world"),
            (2.5, 1.5),
            ratios(samples, &base),
            format!("{:.1} us, hello {:.1} us", median(samples), median(&base)),
        )
        .in_unit("×")
    };
    Ok(vec![figure("discovery", &first), figure("JWKS", &second)])
}
