//! A closed loop: every caller has one operation in flight and begins the next when it is answered.
//!
//! Throughput and latency move when anything else uses the cores; CPU per operation moves little.

mod code;
mod get;
mod http;
mod procfs;
mod refresh;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use url::Url;

pub(crate) use code::{Code, REDIRECT, SCOPE};
pub(crate) use get::Get;
pub(crate) use http::{Busy, Connection};
pub(crate) use procfs::{cpu, resident_mib};
pub(crate) use refresh::Refresh;

/// Failures in a row after which a caller gives up.
const MOST_FAILURES: u32 = 5;
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(20);

/// Somebody who does the same thing over and over.
pub(crate) trait Caller: Send + 'static {
    /// Once.
    fn call(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// How long callers call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Not counted.
    pub(crate) warmup: Duration,
    /// Counted.
    pub(crate) measured: Duration,
    /// No more operations than this in all.
    pub(crate) most: u32,
    /// Who is told to come back does, and nobody hears of it: where nothing is measured.
    pub(crate) forgives: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Operations that ended within the measured time. As many are under way when it begins as when
    /// it ends, so those that are cut off at either side make up for each other.
    pub(crate) done: u32,
    /// Sorted.
    latencies: Vec<Duration>,
    wall: Duration,
    /// CPU time of the watched processes.
    watched: Duration,
    own: Duration,
    errors: BTreeMap<String, u32>,
}

impl Outcome {
    /// Operations a second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.done) / self.wall.as_secs_f64()
    }

    /// CPU time of the watched processes for one operation, microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.watched.as_secs_f64() * 1e6 / f64::from(self.done.max(1))
    }

    /// How many cores the generator itself has used.
    pub(crate) fn own_cores(&self) -> f64 {
        self.own.as_secs_f64() / self.wall.as_secs_f64()
    }

    /// The latency that this many of a thousand did not exceed, milliseconds.
    pub(crate) fn quantile_ms(&self, of_thousand: usize) -> f64 {
        let rank = (self.latencies.len() * of_thousand).div_ceil(1000);
        let found = self.latencies.get(rank.saturating_sub(1));
        found.map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }

    /// The same, if nothing failed and anything was done.
    pub(crate) fn clean(self, what: &str) -> Result<Self> {
        ensure!(
            self.done > 0,
            "{what}: nothing was done in time {:?}",
            self.errors
        );
        self.clean_or_idle(what)
    }

    /// The same, if nothing failed.
    pub(crate) fn clean_or_idle(self, what: &str) -> Result<Self> {
        ensure!(
            self.errors.is_empty(),
            "{what}: {:?}",
            self.errors.iter().take(3).collect::<Vec<_>>()
        );
        Ok(self)
    }

    fn take<C>(&mut self, (one, caller): (One, C), callers: &mut Vec<C>) {
        callers.push(caller);
        self.done += u32::try_from(one.latencies.len()).unwrap_or(u32::MAX);
        self.latencies.extend(one.latencies);
        for (text, count) in one.errors {
            *self.errors.entry(text).or_default() += count;
        }
    }
}

#[derive(Default)]
struct One {
    latencies: Vec<Duration>,
    errors: BTreeMap<String, u32>,
}

/// Lets all of them call at once, and gives them back.
///
/// - `watched`: the processes whose CPU time counts, each with its descendants
pub(crate) async fn drive<C: Caller>(
    callers: Vec<C>,
    span: Span,
    watched: &[u32],
) -> Result<(Outcome, Vec<C>)> {
    let start = Instant::now();
    let begin = start + span.warmup;
    let end = begin + span.measured;
    let left = Arc::new(AtomicU32::new(span.most));
    let mut calling = JoinSet::new();
    for caller in callers {
        calling.spawn(call_until(
            caller,
            (begin, end),
            span.forgives,
            Arc::clone(&left),
        ));
    }
    tokio::time::sleep_until(begin.into()).await;
    let before = (cpu(watched), procfs::own_cpu(), Instant::now());
    let (mut outcome, mut callers) = (Outcome::default(), Vec::new());
    // Until the time is over, or everybody has ended because nothing is left to do.
    let _ = tokio::time::timeout_at(end.into(), async {
        while let Some(ended) = calling.join_next().await {
            outcome.take(ended?, &mut callers);
        }
        anyhow::Ok(())
    })
    .await;
    outcome.watched = cpu(watched).saturating_sub(before.0);
    outcome.own = procfs::own_cpu().saturating_sub(before.1);
    outcome.wall = before.2.elapsed();
    while let Some(ended) = calling.join_next().await {
        outcome.take(ended?, &mut callers);
    }
    outcome.latencies.sort_unstable();
    Ok((outcome, callers))
}

async fn call_until<C: Caller>(
    mut caller: C,
    (begin, end): (Instant, Instant),
    forgives: bool,
    left: Arc<AtomicU32>,
) -> (One, C) {
    let mut one = One::default();
    let mut failures = 0;
    let take = |left: &AtomicU32| {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_ok()
    };
    while Instant::now() < end && failures < MOST_FAILURES && take(&left) {
        let called_at = Instant::now();
        let outcome = caller.call().await;
        let answered_at = Instant::now();
        match outcome {
            Ok(()) => {
                failures = 0;
                if (begin..=end).contains(&answered_at) {
                    one.latencies.push(answered_at - called_at);
                }
            }
            Err(error) if forgives && error.is::<Busy>() => {
                left.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
            Err(error) => {
                *one.errors.entry(format!("{error:#}")).or_default() += 1;
                failures += 1;
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
    (one, caller)
}

/// One signed-in person at one client of a provider. What `peer.mjs mint` prints, a line each.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Seed {
    pub(crate) issuer: Url,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// Spent by each refresh.
    pub(crate) refresh_token: String,
    pub(crate) access_token: String,
    /// The `Cookie` header of her browser.
    pub(crate) cookie: String,
}

impl Seed {
    /// RFC 6749 §2.3.1, with ids and secrets that need no encoding.
    fn basic(&self) -> String {
        let pair = format!("{}:{}", self.client_id, self.client_secret);
        format!("Basic {}", STANDARD.encode(pair))
    }
}

/// What a token endpoint gives a person's client (OIDC Core §3.1.3.3).
#[derive(Deserialize)]
struct Tokens {
    #[serde(rename = "access_token")]
    access: String,
    #[serde(rename = "refresh_token")]
    refresh: String,
    #[serde(rename = "id_token")]
    id: String,
}

/// Where a provider says that its endpoints are.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Endpoints {
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) jwks_uri: Url,
}

/// The address of a provider's discovery document.
pub(crate) fn discovery(issuer: &Url) -> Result<Url> {
    Ok(issuer.join("/.well-known/openid-configuration")?)
}

/// Asks a provider where its endpoints are.
pub(crate) async fn discover(issuer: &Url) -> Result<Endpoints> {
    let address = discovery(issuer)?;
    let reply = Connection::new(&address)?.get(&address, &[]).await?;
    Ok(serde_json::from_slice(&reply.expect(200)?.body)?)
}

fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs).finish()
}

fn random_word() -> String {
    let entropy = lanyard::env::Env::system();
    URL_SAFE_NO_PAD.encode(entropy.random_bytes::<32>())
}
