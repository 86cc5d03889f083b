//! What the verifier costs an API, over the signature check that nothing can spare it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lanyard_verifier::{HttpKeySource, Verifier};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use url::Url;

use super::Run;
use super::refresh::ratios;
use crate::figure::{Figure, median};
use crate::load::{self, Connection, Refresh, Span};
use crate::say;
use crate::site::{Served, Site};

const CLIENTS: usize = 16;
/// Presentations of a token seen before, for each that is new.
const AGAIN: u32 = 20;

/// A token cut up beforehand: what is left is the signature check alone.
struct Cut {
    input: String,
    signature: Vec<u8>,
}

fn cut(token: &str) -> Result<Cut> {
    let (input, signature) = token.rsplit_once('.').context("a compact token")?;
    Ok(Cut {
        input: input.to_owned(),
        signature: URL_SAFE_NO_PAD.decode(signature)?,
    })
}

fn part(token: &str, index: usize) -> Result<Value> {
    let part = token.split('.').nth(index).context("a compact token")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?)
}

/// The public half of the key that signed this token, as ring takes it: an uncompressed point.
async fn public_key(token: &str, jwks: &Url) -> Result<Vec<u8>> {
    let reply = Connection::new(jwks)?.get(jwks, &[]).await?.expect(200)?;
    let set: Value = serde_json::from_slice(&reply.body)?;
    let kid = &part(token, 0)?["kid"];
    let keys = set["keys"].as_array().context("keys")?;
    let key = keys
        .iter()
        .find(|key| key["kid"] == *kid)
        .context("its key")?;
    let mut point = vec![4];
    for coordinate in ["x", "y"] {
        let text = key[coordinate].as_str().context("a coordinate")?;
        point.extend(URL_SAFE_NO_PAD.decode(text)?);
    }
    Ok(point)
}

/// So many access tokens, each another one, just issued by our server.
pub(super) async fn tokens(
    site: &Site,
    served: &Served,
    clients: usize,
    count: usize,
) -> Result<Vec<String>> {
    let seeds = site.seeds(served, clients).await?.into_iter();
    let callers: Result<Vec<_>> = seeds
        .map(|seed| Ok(Refresh::new(seed, &served.endpoints)?.keeping_access_tokens()))
        .collect();
    let span = Span {
        warmup: Duration::ZERO,
        measured: Duration::from_mins(1),
        most: u32::try_from(count)?,
        forgives: true,
    };
    let (outcome, callers) = load::drive(callers?, span, &[]).await?;
    outcome.clean("tokens to verify")?;
    let kept = callers.into_iter().flat_map(|caller| caller.into_parts().1);
    Ok(kept.collect())
}

/// CPU time of this thread.
pub(super) fn spent() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds)
        + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or_default())
}

pub(super) fn micros_each(since: Duration, count: u32) -> f64 {
    spent().saturating_sub(since).as_secs_f64() * 1e6 / f64::from(count)
}

pub(super) async fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>> {
    let (plan, clients) = (run.plan, CLIENTS.min(run.plan.clients()[0]));
    let (site, served) = run.serve("main").await?;
    let tokens = tokens(site, &served, clients, plan.tokens()).await?;
    let count = u32::try_from(tokens.len())?;
    let (first, jwks) = (
        tokens.first().context("a token")?,
        &served.endpoints.jwks_uri,
    );
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key(first, jwks).await?);
    let cuts = tokens
        .iter()
        .map(|token| cut(token))
        .collect::<Result<Vec<_>>>()?;
    let claims = part(first, 1)?;
    let name = |claim: &str| claims[claim].as_str().map(str::to_owned).context("a claim");
    let (issuer, audience) = (name("iss")?, name("aud")?);
    let (mut bare, mut whole, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds() {
        let began = spent();
        for cut in &cuts {
            let verdict = key.verify(cut.input.as_bytes(), &cut.signature);
            ensure!(verdict.is_ok(), "ring refuses a token of ours");
        }
        bare.push(micros_each(began, count));
        // A new one each time: it has seen nothing.
        let verifier = Verifier::builder(issuer.as_str(), audience.as_str())
            .keys(HttpKeySource::new(issuer.as_str())?)
            .build()?;
        verifier.refresh_keys().await?;
        let began = spent();
        for token in &tokens {
            verifier.verify(token).await?;
        }
        whole.push(micros_each(began, count));
        let began = spent();
        for _ in 0..AGAIN {
            for token in &tokens {
                verifier.verify(token).await?;
            }
        }
        again.push(micros_each(began, count * AGAIN));
        let at = round - 1;
        say(&format!(
            "  round {round}: signature {:.1} us, first time {:.1} us, again {:.2} us",
            bare[at], whole[at], again[at]
        ));
    }
    Ok(figures(&bare, &whole, again, count))
}

fn figures(bare: &[f64], whole: &[f64], again: Vec<f64>, count: u32) -> Vec<Figure> {
    let added = ratios(whole, bare).into_iter().map(|r| (r - 1.0) * 100.0);
    let times = format!("{:.1} us, signature {:.1} us", median(whole), median(bare));
    vec![
        Figure::new(
            "verifier",
            "CPU that the verifier adds to the bare signature check",
            (25.0, 12.0),
            added.collect(),
            times,
        )
        .in_unit(" %"),
        Figure::new(
            "verifier",
            "CPU for a token seen before",
            (15.0, 2.0),
            again,
            format!("{count} tokens in turn"),
        )
        .in_unit(" µs"),
    ]
}
