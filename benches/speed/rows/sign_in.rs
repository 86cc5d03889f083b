//! Passwords: how many sign-ins a second, and what they do to those who only refresh.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::Run;
use super::refresh::rotate;
use crate::browser::Browser;
use crate::figure::{Figure, median};
use crate::load::{self, Caller, Span};
use crate::say;
use crate::site::{PASSWORD, Site};

/// Enough that no hashing seat is ever empty.
const IN_FLIGHT: usize = 16;
const CLIENTS: usize = 16;
const BUSY: u16 = 503;

/// A person whose browser is known here and who signs in again and again.
struct Person {
    browser: Browser,
    login: String,
    busy: Arc<AtomicU32>,
}

impl Person {
    fn new(site: &Site, number: usize, busy: &Arc<AtomicU32>) -> Self {
        Self {
            browser: site.browser(number),
            login: site.people[number].clone(),
            busy: Arc::clone(busy),
        }
    }
}

impl Caller for Person {
    /// From the account page over the two pages to a session.
    async fn call(&mut self) -> Result<()> {
        self.browser.set_cookie("__Host-lanyard_session", None);
        loop {
            let answer = self.browser.sign_in(&self.login, PASSWORD).await;
            if answer.status.as_u16() != BUSY {
                let to = answer.location();
                ensure!(
                    to.is_some_and(|to| to.path() == "/account"),
                    "{}",
                    answer.status
                );
                return Ok(());
            }
            self.busy.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// What one hash takes while every core hashes for `long`, in seconds. Cores may be two threads of
/// one: what a hash takes alone, both can't do at the same time, and no server signs in more people
/// a second than its cores hash together. As long as the sign-ins go on that it is compared with:
/// a short burst tells of another minute.
fn one_hash(long: Duration) -> Result<f64> {
    let hashing = (0..cores()?).map(|_| std::thread::spawn(move || hashes(long)));
    let hashing: Vec<_> = hashing.collect();
    let mut times = Vec::new();
    for thread in hashing {
        times.extend(
            thread
                .join()
                .map_err(|_| anyhow!("a thread that hashed panicked"))??,
        );
    }
    Ok(median(&times))
}

/// Hashes as OWASP's floor asks, for `long`, in memory that is there already: what each took, in
/// seconds.
fn hashes(long: Duration) -> Result<Vec<f64>> {
    let params = Params::new(19 * 1024, 2, 1, Some(32))?;
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (mut times, all) = (Vec::new(), Instant::now());
    while times.is_empty() || all.elapsed() < long {
        let (began, mut tag) = (Instant::now(), [0; 32]);
        argon2.hash_password_into_with_memory(
            PASSWORD.as_bytes(),
            &[9; 16],
            &mut tag,
            &mut memory,
        )?;
        times.push(began.elapsed().as_secs_f64());
    }
    Ok(times)
}

fn cores() -> Result<u32> {
    Ok(u32::try_from(std::thread::available_parallelism()?.get())?)
}

pub(super) async fn throughput(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let plan = run.plan;
    let (site, served) = run.serve("main").await?;
    let busy = Arc::default();
    let count = IN_FLIGHT.min(plan.sign_ins());
    let mut people: Vec<_> = (0..count).map(|n| Person::new(site, n, &busy)).collect();
    let watched = run.watched(&served);
    let (mut shares, mut rates, mut hashes, mut cpu) = (vec![], vec![], vec![], vec![]);
    for round in 1..=plan.rounds() {
        let before = one_hash(plan.hashing())?;
        let (outcome, back) = load::drive(people, plan.turn_of_hashes(), &watched).await?;
        people = back;
        let outcome = outcome.clean("sign-in")?;
        let hash = f64::midpoint(before, one_hash(plan.hashing())?);
        shares.push(outcome.rate() * hash / f64::from(cores()?));
        rates.push(outcome.rate());
        hashes.push(hash * 1e3);
        cpu.push(outcome.cpu_us() / 1e3);
        say(&format!(
            "  round {round}: {:.1} sign-ins/s of {:.1} ms CPU, one hash {:.1} ms",
            rates[round - 1],
            cpu[round - 1],
            hashes[round - 1]
        ));
    }
    Ok(vec![Figure::new(
        "sign-in",
        "password sign-ins/s against cores / one Argon2id hash",
        (0.85, 0.92),
        shares,
        format!(
            "{:.1}/s of {:.1} ms CPU each, hash {:.1} ms, {} cores",
            median(&rates),
            median(&cpu),
            median(&hashes),
            cores()?
        ),
    )])
}

pub(super) async fn latency(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let (plan, clients) = (run.plan, CLIENTS.min(run.plan.clients()[0]));
    let (site, served) = run.serve("main").await?;
    let mut seeds = site.seeds(&served, clients).await?;
    let busy = Arc::default();
    // Not those who refresh: a person's sign-ins may end her older sessions.
    let others = site.people.len() - plan.sign_ins()..site.people.len();
    let mut people: Vec<_> = others.map(|n| Person::new(site, n, &busy)).collect();
    let (mut quiet, mut crowded, mut done) = (vec![], vec![], vec![]);
    let turn = plan.turn_of_hashes();
    for round in 1..=plan.rounds() {
        let alone = rotate(&mut seeds, &served.endpoints, turn, &[]).await?;
        quiet.push(alone.quantile_ms(990));
        let span = Span {
            warmup: Duration::ZERO,
            measured: turn.warmup + turn.measured,
            ..turn
        };
        let (signing_in, refreshing) = tokio::join!(
            load::drive(people, span, &[]),
            rotate(&mut seeds, &served.endpoints, turn, &[])
        );
        let (outcome, back) = signing_in?;
        people = back;
        done.push(outcome.clean_or_idle("sign-in")?.rate());
        crowded.push(refreshing?.quantile_ms(990));
        say(&format!(
            "  round {round}: p99 {:.1} ms alone, {:.1} ms beside {:.1} sign-ins/s",
            quiet[round - 1],
            crowded[round - 1],
            done[round - 1]
        ));
    }
    let ratios = super::refresh::ratios(&crowded, &quiet);
    Ok(vec![
        Figure::new(
            "p99",
            format!("refresh p99 beside {} sign-ins in flight", plan.sign_ins()),
            (4.0, 2.0),
            ratios,
            format!(
                "{:.1} ms beside {:.1} sign-ins/s, alone {:.1} ms; told to come back: {}",
                median(&crowded),
                median(&done),
                median(&quiet),
                busy.load(Ordering::Relaxed)
            ),
        )
        .in_unit("×"),
    ])
}
