//! What the log costs those who write it, and how it bears a million entries.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hyper::header::AUTHORIZATION;
use sqlx::postgres::PgConnection;
use url::Url;

use super::Run;
use super::refresh::rotate;
use crate::figure::{Figure, median};
use crate::load::{Connection, Seed};
use crate::place::{Place, said};
use crate::postgres::tell;
use crate::say;
use crate::site::{Served, Site};

const ROW: &str = "log";
const DATABASE: &str = "log";
const CLIENTS: usize = 16;
const PATIENCE: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_millis(50);
/// From then on no event is moved. A lock that the sequencer gives way to would do as well, but its
/// transaction would keep dead rows from being cleaned up, and rotations would pay for that.
const HOLD: &str = "alter function audit.sequence(integer) rename to sequence_at_rest;
   create function audit.sequence(most integer) returns integer language sql as 'select 0';
   grant execute on function audit.sequence(integer) to lanyard_sequencer";
const RELEASE: &str = "drop function audit.sequence(integer);
   alter function audit.sequence_at_rest(integer) rename to sequence";
/// Copies of an event that a rotation wrote, a moment apart.
const COPY: &str = "insert into audit.event
   select copy.* from (select e from audit.event e where e.type = 'refresh.rotated' limit 1) one,
   generate_series(1, $1) n,
   lateral jsonb_populate_record(one.e, jsonb_build_object(
     'n', n, 'event_id', gen_random_uuid(), 'recorded_at', clock_timestamp())) copy";
/// What auditors ask for first, and what finds little in much.
const PAGES: [&str; 5] = [
    "",
    "?type=session.*",
    "?type=refresh.rotated&most=100",
    "?actor=11111111-1111-7111-8111-111111111111",
    "?before=1000",
];

/// Entries of all logs, and events that are in none yet.
async fn counted(boss: &mut PgConnection) -> Result<(i64, i64)> {
    let counts = sqlx::query_as(
        "select (select sum(size)::bigint from audit.log), (select count(*) from audit.event)",
    );
    Ok(counts.fetch_one(boss).await?)
}

/// Waits until every event has its place.
async fn settle(boss: &mut PgConnection) -> Result<()> {
    let began = Instant::now();
    while counted(boss).await?.1 > 0 {
        ensure!(began.elapsed() < PATIENCE, "events are left over");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Who refreshes, at a server with its database.
struct Scene<'a> {
    run: &'a Run<'a>,
    served: &'a Served,
    seeds: Vec<Seed>,
    watched: [u32; 2],
    boss: PgConnection,
}

impl Scene<'_> {
    /// One turn: rotations a second and microseconds of CPU each.
    async fn rotate(&mut self) -> Result<(f64, f64)> {
        let span = self.run.plan.turn_of_logs();
        let outcome = rotate(&mut self.seeds, &self.served.endpoints, span, &self.watched).await?;
        Ok((outcome.rate(), outcome.cpu_us()))
    }

    async fn cost(&mut self) -> Result<[Figure; 2]> {
        let (mut rates, mut cpus, mut with_rates, mut with_cpus) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for round in 1..=self.run.plan.rounds() {
            let (mut with, mut without) = ((0.0, 0.0), (0.0, 0.0));
            // Whoever is second finds a larger database: they take turns.
            for is_held in [round % 2 == 1, round % 2 == 0] {
                if is_held {
                    tell(&mut self.boss, HOLD).await?;
                    without = self.rotate().await?;
                    tell(&mut self.boss, RELEASE).await?;
                } else {
                    with = self.rotate().await?;
                }
                settle(&mut self.boss).await?;
            }
            say(&format!(
                "  round {round}: {:.0}/s {:.0} us CPU, without the sequencer {:.0}/s {:.0} us",
                with.0, with.1, without.0, without.1
            ));
            rates.push((1.0 - with.0 / without.0) * 100.0);
            cpus.push((with.1 / without.1 - 1.0) * 100.0);
            with_rates.push(with.0);
            with_cpus.push(with.1);
        }
        let detail = format!("{CLIENTS} clients, {:.0}/s with it", median(&with_rates));
        let cpu = format!("{:.0} us with it", median(&with_cpus));
        Ok([
            Figure::new(
                ROW,
                "rotations/s that the log's sequencer takes away",
                (10.0, 3.0),
                rates,
                detail,
            )
            .in_unit(" %"),
            Figure::new(
                ROW,
                "CPU that it adds to a rotation, PostgreSQL's included",
                (30.0, 10.0),
                cpus,
                cpu,
            )
            .in_unit(" %"),
        ])
    }

    /// Events moved a second, while everybody refreshes; the log grows to its full size.
    async fn pace(&mut self) -> Result<Figure> {
        let rounds = self.run.plan.rounds();
        let each = i32::try_from(self.run.plan.events())? / i32::try_from(rounds)? + 1;
        let (mut paces, mut beside) = (Vec::new(), Vec::new());
        for round in 1..=rounds {
            tell(&mut self.boss, HOLD).await?;
            self.rotate().await?;
            let copied = sqlx::query(COPY).bind(each).execute(&mut self.boss).await?;
            ensure!(copied.rows_affected() > 0, "no rotation wrote an event");
            tell(&mut self.boss, RELEASE).await?;
            let (before, began) = (counted(&mut self.boss).await?.0, Instant::now());
            beside.push(self.rotate().await?.0);
            let after = counted(&mut self.boss).await?;
            let took = began.elapsed();
            paces.push(f64::from(u32::try_from(after.0 - before)?) / took.as_secs_f64());
            say(&format!(
                "  round {round}: {:.0} events/s beside {:.0} rotations/s, {} left",
                paces[round - 1],
                beside[round - 1],
                after.1
            ));
            settle(&mut self.boss).await?;
        }
        let detail = format!("beside {:.0} rotations/s", median(&beside));
        let what = format!("events sequenced a second beside {CLIENTS} clients");
        Ok(Figure::new(ROW, what, (2000.0, 4000.0), paces, detail).in_unit("/s"))
    }
}

/// An auditor's pages of the whole log.
async fn pages(run: &Run<'_>, site: &Site, served: &Served) -> Result<Figure> {
    let token = format!("Bearer {}", site.auditor(served).await?);
    let headers = [(AUTHORIZATION.as_str(), token.as_str())];
    let address: Url = site.issuer.join("/api/v1/audit/events")?;
    let mut connection = Connection::new(&address)?;
    let mut slowest = Vec::new();
    let mut boss = run.postgres.superuser(DATABASE).await?;
    let (stored, _) = counted(&mut boss).await?;
    for _ in 0..run.plan.rounds() {
        let mut worst = Duration::ZERO;
        for query in PAGES {
            let page = Url::parse(&format!("{address}{query}"))?;
            let began = Instant::now();
            let reply = connection.get(&page, &headers).await?.expect(200)?;
            worst = worst.max(began.elapsed());
            let answer: serde_json::Value = serde_json::from_slice(&reply.body)?;
            answer["entries"].as_array().context("a list of entries")?;
        }
        slowest.push(worst.as_secs_f64() * 1e3);
    }
    let what = format!("the slowest of {} pages of a log of {stored}", PAGES.len());
    let detail = "newest, by type, by an actor who did nothing, from far back; by API".to_owned();
    Ok(Figure::new(ROW, what, (200.0, 50.0), slowest, detail).in_unit(" ms"))
}

/// Exports the log, and checks it as somebody would who has the file and the public key.
async fn verified(run: &Run<'_>, site: &Site) -> Result<[Figure; 2]> {
    let place: &Place = run.place;
    let (file, keys) = (path(place, "log.ndjson"), path(place, "log-keys.json"));
    let (mut exports, mut checks) = (Vec::new(), Vec::new());
    let mut boss = run.postgres.superuser(DATABASE).await?;
    let mut entries = 0.0;
    for _ in 0..run.plan.once_each().min(3) {
        let _ = std::fs::remove_file(&file);
        let mut export = site.command(place, &["audit", "export", "--tenant", "juniper"]);
        let began = Instant::now();
        said(export.arg(&file))?;
        let took = began.elapsed();
        let length: i64 = sqlx::query_scalar("select size from audit.log where tenant_id = $1")
            .bind(site.clinic.as_uuid())
            .fetch_one(&mut boss)
            .await?;
        // What the export itself adds is not in it.
        entries = f64::from(u32::try_from(length)?);
        ensure!(entries > 0.0, "an export without entries");
        exports.push(took.as_secs_f64() * 1e6 / entries);
        // The first key is made when something is first signed.
        let published = site.issuer.join("/.well-known/lanyard-audit")?;
        let mut connection = Connection::new(&published)?;
        let reply = connection.get(&published, &[]).await?.expect(200)?;
        std::fs::write(&keys, &reply.body)?;
        let mut check = place.command(&place.lanyard);
        check
            .args(["audit", "verify"])
            .arg(&file)
            .arg("--keys")
            .arg(&keys);
        let began = Instant::now();
        said(&mut check)?;
        checks.push(began.elapsed().as_secs_f64() * 1e6 / entries);
    }
    say(&format!(
        "  {entries} entries: a million exported in {:.1} s, verified in {:.1} s",
        median(&exports),
        median(&checks)
    ));
    let of = format!("{entries} entries");
    Ok([
        Figure::new(
            ROW,
            "verifying a million entries offline",
            (60.0, 15.0),
            checks,
            of.clone(),
        )
        .in_unit(" s"),
        Figure::new(
            ROW,
            "exporting a million entries",
            (300.0, 60.0),
            exports,
            of,
        )
        .in_unit(" s"),
    ])
}

fn path(place: &Place, name: &str) -> PathBuf {
    place.path().join(name)
}

pub(super) async fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let clients = CLIENTS.min(run.plan.clients()[0]);
    let (site, served) = run.serve(DATABASE).await?;
    let seeds = site.seeds(&served, clients).await?;
    let (watched, boss) = (
        run.watched(&served),
        run.postgres.superuser(DATABASE).await?,
    );
    let mut scene = Scene {
        run,
        served: &served,
        seeds,
        watched,
        boss,
    };
    let mut figures = Vec::from(scene.cost().await?);
    figures.push(scene.pace().await?);
    tell(&mut scene.boss, "vacuum (analyze) audit.entry").await?;
    let site = run.made(DATABASE)?;
    figures.push(pages(run, site, &served).await?);
    figures.extend(verified(run, site).await?);
    Ok(figures)
}
