//! How soon every verifier refuses what was revoked, and what it costs them to hold revocations.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use lanyard_verifier::{HttpKeySource, HttpRevocationSource, Verifier, VerifyError};

use super::Run;
use super::verifier::{micros_each, spent, tokens};
use crate::figure::{Figure, median, percentile};
use crate::plan::Plan;
use crate::postgres::tell;
use crate::say;
use crate::site::{API, Served, Site};

const ROW: &str = "revocation";
const DATABASE: &str = "main";
const CLIENTS: usize = 16;
/// How often a verifier is asked: a refusal may be noticed so much late.
const LOOK: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);
const LONG_PATIENCE: Duration = Duration::from_mins(4);
/// Presentations of each token in one turn.
const AGAIN: u32 = 20;

/// An API's verifier; one of them follows the issuer, the other hears nothing.
fn verifier(site: &Site, follows: bool) -> Result<Verifier> {
    let issuer = site.issuer.as_str().trim_end_matches('/');
    let builder = Verifier::builder(issuer, site.audience()).keys(HttpKeySource::new(issuer)?);
    let builder = if follows {
        builder.revocations(HttpRevocationSource::new(issuer, API, &site.api_secret)?)
    } else {
        builder
    };
    Ok(builder.build()?)
}

/// Asks all of them until the last one refuses.
async fn all_refuse(verifiers: &[Verifier], token: &str, began: Instant) -> Result<Duration> {
    let mut accepting: Vec<&Verifier> = verifiers.iter().collect();
    loop {
        let mut left = Vec::new();
        for verifier in accepting {
            match verifier.verify(token).await {
                Ok(_) => left.push(verifier),
                Err(VerifyError::Revoked) => {}
                Err(other) => return Err(other.into()),
            }
        }
        if left.is_empty() {
            return Ok(began.elapsed());
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "{} verifiers were not told",
            left.len()
        );
        accepting = left;
        tokio::time::sleep(LOOK).await;
    }
}

/// A person signs in, all verifiers take her token, she signs out; milliseconds from her click to
/// the last refusal.
async fn sign_out(
    site: &Site,
    served: &Served,
    number: usize,
    verifiers: &[Verifier],
) -> Result<f64> {
    let (browser, seed) = site.sign_in(number, served).await?;
    for verifier in verifiers {
        verifier.verify(&seed.access_token).await?;
    }
    let page = browser.visit("/account").await;
    let began = Instant::now();
    let (_, took) = tokio::join!(
        browser.submit(&page, "end-all", &[]),
        all_refuse(verifiers, &seed.access_token, began)
    );
    Ok(took?.as_secs_f64() * 1e3)
}

async fn reach(site: &Site, served: &Served, plan: Plan) -> Result<[Figure; 2]> {
    let verifiers = (0..plan.verifiers()).map(|_| verifier(site, true));
    let verifiers = verifiers.collect::<Result<Vec<_>>>()?;
    for verifier in &verifiers {
        verifier.refresh_keys().await?;
        verifier.revocations_known().await;
    }
    let mut times = Vec::new();
    for round in 1..=plan.rounds() {
        for _ in 0..plan.sign_outs() {
            let number = times.len() % site.people.len();
            times.push(sign_out(site, served, number, &verifiers).await?);
        }
        say(&format!(
            "  round {round}: {} sign-outs, median {:.1} ms to the last refusal",
            times.len(),
            median(&times)
        ));
    }
    times.sort_unstable_by(f64::total_cmp);
    let (count, told) = (times.len(), verifiers.len());
    let at = |of_hundred| percentile(&times, of_hundred);
    let what = |which| format!("from a sign-out to the last of {told} verifiers refusing, {which}");
    let (half, most) = (at(50), at(99));
    let detail = format!(
        "{count} sign-outs, {:.1} to {:.1} ms; all verifiers in one thread",
        at(0),
        at(100)
    );
    Ok([
        Figure::new(ROW, what("p50"), (500.0, 100.0), vec![half], detail.clone()).in_unit(" ms"),
        Figure::new(ROW, what("p99"), (1000.0, 250.0), vec![most], detail)
            .in_unit(" ms")
            .spread_over(times),
    ])
}

/// As triggers write them when sessions end, of sessions that nobody has.
async fn revoke_many(run: &Run<'_>, site: &Site, count: usize) -> Result<()> {
    let mut boss = run.postgres.superuser(DATABASE).await?;
    let statement = format!(
        "insert into revocation.event (tenant_id, kind, subject_id, sid, reason, occurred_at)
           select '{}', 'session', gen_random_uuid(), gen_random_uuid(), 'signed_out',
             clock_timestamp()
           from generate_series(1, {count});
         notify lanyard_revocation",
        site.clinic
    );
    tell(&mut boss, &statement).await
}

async fn holds(verifier: &Verifier, count: usize) -> Result<usize> {
    let began = Instant::now();
    loop {
        let held = verifier.feed_status().context("it follows")?.held;
        if held >= count {
            return Ok(held);
        }
        ensure!(began.elapsed() < LONG_PATIENCE, "{held} of {count} came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) async fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let (plan, clients) = (run.plan, CLIENTS.min(run.plan.clients()[0]));
    let (site, served) = run.serve(DATABASE).await?;
    let mut figures = Vec::from(reach(site, &served, plan).await?);
    let tokens = tokens(site, &served, clients, plan.tokens()).await?;
    let (without, with) = (verifier(site, false)?, verifier(site, true)?);
    with.revocations_known().await;
    let site = run.made(DATABASE)?;
    revoke_many(run, site, plan.revocations()).await?;
    let held = holds(&with, plan.revocations()).await?;
    let count = u32::try_from(tokens.len())? * AGAIN;
    let turn = async |verifier: &Verifier| {
        let began = spent();
        for _ in 0..AGAIN {
            for token in &tokens {
                verifier.verify(token).await?;
            }
        }
        anyhow::Ok(micros_each(began, count))
    };
    let (mut added, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=plan.rounds() {
        let (alone, beside) = (turn(&without).await?, turn(&with).await?);
        // In the first one each token is new to both.
        if round > 0 {
            added.push(beside - alone);
            bare.push(alone);
            say(&format!(
                "  round {round}: {alone:.2} us, holding {held} revocations {beside:.2} us"
            ));
        }
    }
    let detail = format!("a token seen before is {:.2} us without", median(&bare));
    let what = format!("CPU that {held} revocations add to a request");
    figures.push(Figure::new(ROW, what, (1.0, 0.25), added, detail).in_unit(" µs"));
    Ok(figures)
}
