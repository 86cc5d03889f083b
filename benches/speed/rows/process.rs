//! The process: how soon it answers, and how much memory it holds.

use std::time::Duration;

use anyhow::Result;

use super::Run;
use super::refresh::rotate;
use crate::figure::{Figure, median};
use crate::load::resident_mib;
use crate::say;

const CLIENTS: usize = 16;
/// What a start allocates is settled by then.
const IDLE: Duration = Duration::from_secs(2);

pub(super) async fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let (plan, clients) = (run.plan, CLIENTS.min(run.plan.clients()[0]));
    let place = run.place;
    let site = run.site("main").await?;
    let mut starts = Vec::new();
    for _ in 0..plan.once_each() {
        let (_served, took) = site.serve(place).await?;
        starts.push(took.as_secs_f64());
    }
    say(&format!("  starts in {:.3} s", median(&starts)));
    let (served, _) = site.serve(place).await?;
    tokio::time::sleep(IDLE).await;
    let idle = resident_mib(served.pid());
    let mut seeds = site.seeds(&served, clients).await?;
    let outcome = rotate(&mut seeds, &served.endpoints, plan.long(), &[]).await?;
    let loaded = resident_mib(served.pid());
    say(&format!("  {idle:.1} MiB idle, {loaded:.1} MiB after load"));
    let rate = outcome.rate();
    Ok(vec![
        Figure::new(
            "process",
            "`serve` to its first 200, the database up",
            (0.2, 0.13),
            starts,
            "from the start of the process".to_owned(),
        )
        .in_unit(" s"),
        Figure::new(
            "process",
            "memory idle",
            (50.0, 25.0),
            vec![idle],
            "resident set, 2 s after the start".to_owned(),
        )
        .in_unit(" MiB"),
        Figure::new(
            "process",
            "memory after refresh load",
            (70.0, 45.0),
            vec![loaded],
            format!(
                "{:.0} s of {rate:.0} rotations/s",
                plan.long().measured.as_secs_f64()
            ),
        )
        .in_unit(" MiB"),
    ])
}
