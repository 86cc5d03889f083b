//! The code flow of a person who is signed in: authorization, then tokens.

use anyhow::Result;

use super::Run;
use super::refresh::ratios;
use crate::figure::{Figure, median};
use crate::load::{self, Code, Endpoints, Outcome, Seed, Span};
use crate::say;

const CLIENTS: usize = 16;

async fn flow(
    seeds: &mut Vec<Seed>,
    endpoints: &Endpoints,
    span: Span,
    watched: &[u32],
) -> Result<Outcome> {
    let callers = seeds.drain(..).map(|seed| Code::new(seed, endpoints));
    let callers = callers.collect::<Result<Vec<_>>>()?;
    let (outcome, callers) = load::drive(callers, span, watched).await?;
    seeds.extend(callers.into_iter().map(Code::into_seed));
    outcome.clean("code flow")
}

pub(super) async fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let (plan, clients) = (run.plan, CLIENTS.min(run.plan.clients()[0]));
    let peer = run.peer().await?;
    let (peer_pid, peer_endpoints) = (peer.pid(), peer.endpoints.clone());
    let mut peers = peer.seeds(clients)?;
    let (site, served) = run.serve("main").await?;
    let mut ours = site.seeds(&served, clients).await?;
    let watched = run.watched(&served);
    let (mut rates, mut peers_rates) = (Vec::new(), Vec::new());
    let (mut cpu, mut peers_cpu) = (Vec::new(), Vec::new());
    for round in 1..=plan.rounds() {
        let outcome = flow(&mut ours, &served.endpoints, plan.turn(), &watched).await?;
        rates.push(outcome.rate());
        cpu.push(outcome.cpu_us());
        let outcome = flow(&mut peers, &peer_endpoints, plan.turn(), &[peer_pid]).await?;
        peers_rates.push(outcome.rate());
        peers_cpu.push(outcome.cpu_us());
        say(&format!(
            "  round {round}: ours {:.0}/s, peer {:.0}/s",
            rates[round - 1],
            peers_rates[round - 1]
        ));
    }
    Ok(vec![
        Figure::new(
            "code",
            "code flows/s of a signed-in session against npm's oidc-provider",
            (1.5, 2.5),
            ratios(&rates, &peers_rates),
            format!(
                "{:.0}/s and {:.0} us CPU, peer {:.0}/s and {:.0} us",
                median(&rates),
                median(&cpu),
                median(&peers_rates),
                median(&peers_cpu)
            ),
        )
        .in_unit("×"),
    ])
}
