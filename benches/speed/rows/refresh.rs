//! Durable rotations of refresh tokens, against what the database can do and against the peer.

use anyhow::{Context as _, Result};

use super::Run;
use crate::figure::{Figure, median};
use crate::load::{self, Endpoints, Outcome, Refresh, Seed, Span};
use crate::place::said;
use crate::postgres::tell;
use crate::say;

const ROW: &str = "refresh";
const PGBENCH: &str = "plain";
/// A rotation without any rule: lock a row, change it, remember a digest, commit.
const SCRIPT: &str = "\
\\set id :client_id + 1
begin;
select generation from family where family_id = :id for update \\gset
update family set generation = generation + 1, digest = sha256('next') where family_id = :id;
insert into token (family_id, generation, digest) values (:id, :generation, sha256('next'));
commit;
";
const TABLES: &str = "\
create table family (family_id integer primary key, generation bigint not null,
  digest bytea not null);
create table token (family_id integer references family, generation bigint, digest bytea not null,
  primary key (family_id, generation));
insert into family select n, 0, sha256(n::text::bytea) from generate_series(1, 64) n;";

/// One turn of rotations; the seeds go on.
pub(super) async fn rotate(
    seeds: &mut Vec<Seed>,
    endpoints: &Endpoints,
    span: Span,
    watched: &[u32],
) -> Result<Outcome> {
    let callers = seeds.drain(..).map(|seed| Refresh::new(seed, endpoints));
    let callers = callers.collect::<Result<Vec<_>>>()?;
    let (outcome, callers) = load::drive(callers, span, watched).await?;
    seeds.extend(callers.into_iter().map(|caller| caller.into_parts().0));
    outcome.clean("refresh")
}

/// Transactions a second by `pgbench`, on the same server.
fn plain(run: &Run<'_>, clients: usize) -> Result<f64> {
    let script = run.place.path().join("rotation.sql");
    if !script.exists() {
        std::fs::write(&script, SCRIPT)?;
    }
    let seconds = run.plan.turn().measured.as_secs().max(1);
    let mut command = run.postgres.pgbench(run.place, PGBENCH);
    command
        .args(["--protocol", "prepared", "--jobs", "1", "--client"])
        .arg(clients.to_string())
        .args(["--time", &seconds.to_string(), "--file"])
        .arg(&script);
    let text = said(&mut command)?;
    let rate = text.lines().find_map(|line| {
        let rest = line.strip_prefix("tps = ")?;
        rest.split_whitespace().next()?.parse().ok()
    });
    rate.with_context(|| format!("pgbench says no rate: {text}"))
}

#[derive(Default)]
struct Seen {
    ours: Vec<f64>,
    plain: Vec<f64>,
    peers: Vec<f64>,
    our_cpu: Vec<f64>,
    peers_cpu: Vec<f64>,
    p99: Vec<f64>,
    generator: Vec<f64>,
}

pub(super) fn ratios(over: &[f64], under: &[f64]) -> Vec<f64> {
    over.iter().zip(under).map(|(a, b)| a / b).collect()
}

pub(super) async fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let (plan, most) = (
        run.plan,
        *run.plan.clients().iter().max().context("clients")?,
    );
    run.postgres.create(PGBENCH).await?;
    tell(&mut run.postgres.superuser(PGBENCH).await?, TABLES).await?;
    let peer = run.peer().await?;
    let (peer_pid, peer_endpoints) = (peer.pid(), peer.endpoints.clone());
    let mut peers_seeds = peer.seeds(most)?;
    let (site, served) = run.serve("main").await?;
    let mut our_seeds = site.seeds(&served, most).await?;
    let watched = run.watched(&served);
    let mut figures = Vec::new();
    for &clients in plan.clients() {
        let mut seen = Seen::default();
        let (mut ours, mut peers) = (
            our_seeds[..clients].to_vec(),
            peers_seeds[..clients].to_vec(),
        );
        for round in 1..=plan.rounds() {
            let outcome = rotate(&mut ours, &served.endpoints, plan.turn(), &watched).await?;
            seen.ours.push(outcome.rate());
            seen.our_cpu.push(outcome.cpu_us());
            seen.p99.push(outcome.quantile_ms(990));
            seen.generator.push(outcome.own_cores());
            seen.plain.push(plain(run, clients)?);
            let outcome = rotate(&mut peers, &peer_endpoints, plan.turn(), &[peer_pid]).await?;
            seen.peers.push(outcome.rate());
            seen.peers_cpu.push(outcome.cpu_us());
            say(&format!(
                "  {clients} clients, round {round}: ours {:.0}/s {:.0} us CPU; pgbench {:.0}/s; \
                 peer {:.0}/s {:.0} us CPU",
                seen.ours[round - 1],
                seen.our_cpu[round - 1],
                seen.plain[round - 1],
                seen.peers[round - 1],
                seen.peers_cpu[round - 1],
            ));
        }
        our_seeds[..clients].clone_from_slice(&ours);
        peers_seeds[..clients].clone_from_slice(&peers);
        figures.extend(seen.figures(clients));
    }
    Ok(figures)
}

impl Seen {
    fn figures(&self, clients: usize) -> [Figure; 3] {
        let detail = format!(
            "{:.0}/s, p99 {:.1} ms, generator {:.2} cores; pgbench {:.0}/s",
            median(&self.ours),
            median(&self.p99),
            median(&self.generator),
            median(&self.plain)
        );
        let rates = format!(
            "{:.0}/s, peer {:.0}/s",
            median(&self.ours),
            median(&self.peers)
        );
        let cpu = format!(
            "{:.0} us, peer {:.0} us",
            median(&self.our_cpu),
            median(&self.peers_cpu)
        );
        [
            Figure::new(
                ROW,
                format!("rotations/s at {clients} clients against pgbench"),
                (0.45, 0.7),
                ratios(&self.ours, &self.plain),
                detail,
            ),
            Figure::new(
                ROW,
                format!("the same against npm's oidc-provider, {clients} clients"),
                (1.5, 2.5),
                ratios(&self.ours, &self.peers),
                rates,
            )
            .in_unit("×"),
            Figure::new(
                ROW,
                format!(
                    "CPU a rotation, ours and PostgreSQL's, against the peer's, {clients} clients"
                ),
                (0.6, 0.45),
                ratios(&self.our_cpu, &self.peers_cpu),
                cpu,
            ),
        ]
    }
}
