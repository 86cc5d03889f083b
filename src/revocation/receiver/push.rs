//! Telling who wants to be told (RFC 8935): one set a request, in order, until it is taken.
//!
//! At least once: what was taken is noted after it was, so a server that ends between the two tells
//! it again. A server takes a receiver by one conditional UPDATE and has it for a while, so that
//! others do not tell it the same beside.

use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use time::Duration as Span;
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

use super::model::{Delivery, Due};
use super::reach::Reach;
use super::service::{Poll, poll, resource_server};
use super::store;
use crate::app::App;
use crate::db::{Authority, Identity, Job, StoreError, Tx, chain};
use crate::oidc::client::RedirectUri;
use crate::revocation::model::Subscriber;
use crate::revocation::service::sequence;

/// So many sets at a time.
const BATCH: usize = 20;
/// Who says nothing for so long did not take it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longer than a whole batch takes.
const LEASE: Span = Span::minutes(2);
/// Before the second try; doubled for each one that fails.
const FIRST_PAUSE: Span = Span::seconds(1);
const LONGEST_PAUSE: Span = Span::minutes(5);
/// Of the header that a receiver wants to see.
const LONGEST_HEADER: usize = 1000;

/// What goes out to receivers. Follows no redirect and asks no proxy: where they may be told is
/// what they said, as far as that is within reach.
#[derive(Clone, Debug)]
pub struct Pusher {
    client: reqwest::Client,
    reach: Reach,
}

/// What became of one set.
enum Pushed {
    /// It was taken, or never will be (RFC 8935 §2.3): it is not sent again.
    Done,
    /// Not now.
    Failed(String),
}

impl Pusher {
    /// One with its own connections.
    pub fn within(reach: Reach) -> Self {
        // Whoever came first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(reach.clone())
            .timeout(PATIENCE)
            .user_agent(concat!("lanyard/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("a TLS provider is installed");
        Self { client, reach }
    }

    async fn push(&self, endpoint: &str, authorization: Option<&HeaderValue>, set: &str) -> Pushed {
        // One without a name is not looked up.
        let address = Url::parse(endpoint).ok();
        let Some(address) = address.filter(|address| self.reach.allows(address)) else {
            return Pushed::Failed("its address may not be told".to_owned());
        };
        let mut request = self
            .client
            .post(address)
            .header(CONTENT_TYPE, "application/secevent+jwt")
            .header(ACCEPT, "application/json")
            .body(set.to_owned());
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        match request.send().await.map(|answer| answer.status()) {
            Ok(StatusCode::ACCEPTED) => Pushed::Done,
            Ok(StatusCode::BAD_REQUEST) => {
                // Its words may be anything.
                tracing::warn!("a receiver could not use what it was told");
                Pushed::Done
            }
            Ok(status) => Pushed::Failed(format!("status {}", status.as_u16())),
            Err(error) => Pushed::Failed(chain(&error.without_url())),
        }
    }
}

/// Push delivery to that address, with that `Authorization` header; `None` for an address or a
/// header that is not used.
///
/// `https` alone, so that only who has a certificate for the name is told; beside an issuer that is
/// itself reached by plain `http`, as on a developer's machine, a loopback address too. An address
/// out of [`Reach`] is refused here, a name that means one when it is told.
pub fn delivery(
    app: &App,
    subscriber: &Subscriber,
    endpoint: &str,
    authorization: Option<&str>,
) -> Option<Delivery> {
    // Absolute, without a user or a fragment, and http on this machine alone.
    let address = RedirectUri::parse(endpoint).ok()?;
    let is_plain = address.is_http() && app.issuer().starts_with("http:");
    let is_within = Url::parse(endpoint).is_ok_and(|url| Reach::of(&app.config).allows(&url));
    if !(endpoint.starts_with("https:") || is_plain) || !is_within {
        return None;
    }
    let sealed = match authorization {
        Some(header) => {
            let is_header = header.len() <= LONGEST_HEADER && HeaderValue::from_str(header).is_ok();
            if !is_header {
                return None;
            }
            let place = place(subscriber);
            Some(app.keys.wrap(&app.env, &place, header.as_bytes()))
        }
        None => None,
    };
    Some(Delivery::Push {
        endpoint: endpoint.to_owned(),
        authorization_sealed: sealed,
    })
}

/// What the header is bound to: its column, and the row.
fn place(subscriber: &Subscriber) -> String {
    let Subscriber { tenant, client, .. } = subscriber;
    format!("revocation.receiver.push_authorization {tenant} {client}")
}

/// Begins to tell every receiver that something waits for, each in a task of its own: one that is
/// slow, or can't be told, keeps nobody else. Repeatable at any moment, on every server at once.
///
/// # Errors
/// [`StoreError`]: it is not known who waits. What one receiver does not take is no error, and
/// tried again later.
pub async fn push_all(
    app: &App,
    pusher: &Pusher,
    telling: &mut JoinSet<()>,
) -> Result<(), StoreError> {
    while telling.try_join_next().is_some() {}
    sequence(app).await?;
    let now = app.env.now();
    let claim = async |tx: &mut Tx<Identity>| store::claim_due(tx, now, now + LEASE).await;
    for due in app.db.run(job(), claim).await? {
        let (app, pusher) = (app.clone(), pusher.clone());
        telling.spawn(async move {
            if let Err(error) = push_to(&app, &pusher, &due).await {
                let detail = chain(&error);
                tracing::error!(client = %due.client, %detail, "a receiver can't be told");
            }
        });
    }
    Ok(())
}

fn job() -> Authority<Identity> {
    Authority::job(Job::TellRevocations)
}

async fn push_to(app: &App, pusher: &Pusher, due: &Due) -> Result<(), StoreError> {
    let outcome = match resource_server(app, &due.client).await? {
        Some(subscriber) => tell(app, pusher, due, &subscriber).await?,
        None => Pushed::Failed("its client is disabled".to_owned()),
    };
    let (failures, again_at) = match outcome {
        Pushed::Done => (0, None),
        Pushed::Failed(why) => {
            let failures = due.failures.saturating_add(1);
            tracing::warn!(client = %due.client, failures, why, "a receiver was not told");
            let pause = FIRST_PAUSE * 2_i32.pow(due.failures.clamp(0, 9).unsigned_abs());
            (failures, Some(app.env.now() + pause.min(LONGEST_PAUSE)))
        }
    };
    let release = async |tx: &mut Tx<Identity>| store::release(tx, due, failures, again_at).await;
    app.db.run(job(), release).await
}

/// Sends what is owed until something is not taken; what was taken is not owed any more.
async fn tell(
    app: &App,
    pusher: &Pusher,
    due: &Due,
    subscriber: &Subscriber,
) -> Result<Pushed, StoreError> {
    let authorization = match &due.authorization_sealed {
        None => None,
        Some(sealed) => {
            let opened = app.keys.unwrap(&place(subscriber), sealed);
            let header = opened.and_then(|header| HeaderValue::from_bytes(&header).ok());
            let mut header = header.ok_or(StoreError::Corrupt {
                table: "revocation.receiver",
                what: "push_authorization_sealed",
            })?;
            header.set_sensitive(true);
            Some(header)
        }
    };
    let owed = Poll {
        most: BATCH,
        done_with: Vec::new(),
    };
    let mut done_with: Vec<Uuid> = Vec::new();
    let mut outcome = Pushed::Done;
    for (jti, set) in poll(app, subscriber, &owed).await?.sets {
        outcome = pusher
            .push(&due.endpoint, authorization.as_ref(), &set)
            .await;
        if matches!(outcome, Pushed::Failed(_)) {
            break;
        }
        done_with.push(jti);
    }
    if !done_with.is_empty() {
        let taken = Poll { most: 0, done_with };
        poll(app, subscriber, &taken).await?;
    }
    Ok(outcome)
}
