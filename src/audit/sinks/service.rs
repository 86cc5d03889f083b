//! Adding and removing sinks, and sending them what they lack.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::model::{Failed, Kind, NewSink, Sink, SinkId};
use super::policy;
use super::store::{self, Way};
use super::{https, syslog};
use crate::app::App;
use crate::audit::log::{lines_after, size};
use crate::audit::{self, EventType};
use crate::config::Issuer;
use crate::db::{Authority, Db, Job, Platform, StoreError, chain};
use crate::env::Env;
use crate::ids::TenantId;
use crate::secret::Keys;

/// So many entries at once, at most.
const BATCH: i64 = 500;
/// So many sinks are taken at a time.
const SINKS_AT_ONCE: i64 = 32;
/// A sink in somebody's hand for so long is nobody's: far longer than a batch may take.
const ABANDONED_AFTER: Duration = Duration::minutes(1);

/// A sink can't be added.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operator's: the log is not that long.
    #[error("the log has {size} entries")]
    NoSuchEntry {
        /// So many it has.
        size: i64,
    },
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The entry that was sent.
    pub index: i64,
    /// `None`: the receiver has it.
    pub failed: Option<Failed>,
}

/// The means of whoever keeps sinks.
#[derive(Clone, Copy, Debug)]
pub struct Sinks<'a> {
    /// Where they are.
    pub db: &'a Db,
    /// Time and randomness.
    pub env: &'a Env,
    /// What their secrets are under.
    pub keys: &'a Keys,
    /// Whose host the messages are from.
    pub issuer: &'a Issuer,
}

/// Where a secret belongs.
fn place(tenant: TenantId, id: SinkId) -> String {
    format!("audit.sink/{tenant}/{id}/secret")
}

/// To read a log, as an operator does.
fn reading(tenant: TenantId) -> Authority<Platform> {
    Authority::job_in(Job::ReadLog, tenant).read_only()
}

impl<'a> Sinks<'a> {
    fn of(app: &'a App) -> Self {
        Self {
            db: &app.db,
            env: &app.env,
            keys: &app.keys,
            issuer: &app.config.issuer,
        }
    }

    /// Adds a sink; says which, and the first entry that it is sent. On the record.
    pub async fn add(&self, new: &NewSink) -> Result<(SinkId, i64), SinkError> {
        let (id, now) = (self.env.random_uuid(), self.env.now());
        let sealed = new.secret.as_ref().map(|secret| {
            let plain = secret.expose_secret().as_bytes();
            self.keys.wrap(self.env, &place(new.tenant, id), plain)
        });
        let size = self
            .db
            .run(reading(new.tenant), async |tx| size(tx, new.tenant).await)
            .await?;
        let from = new
            .from
            .map_or(size, |from| i64::try_from(from).unwrap_or(i64::MAX));
        if from > size {
            return Err(SinkError::NoSuchEntry { size });
        }
        let kind = new.address.kind().as_str();
        let detail = json!({ "sink": id, "kind": kind, "from": from });
        let authority = Authority::<Platform>::job_in(Job::KeepLog, new.tenant);
        let added = self.db.run(authority, async |tx| {
            store::insert(tx, (id, new), sealed, from, now).await?;
            audit::append(tx, self.env, self.keys, EventType::SinkAdded, detail).await
        });
        added.await.map_err(SinkError::Store)?;
        Ok((id, from))
    }

    /// Removes one; `false` if the tenant has none of that id. On the record.
    pub async fn remove(&self, tenant: TenantId, id: SinkId) -> Result<bool, StoreError> {
        let authority = Authority::<Platform>::job_in(Job::KeepLog, tenant);
        let removed = self.db.run(authority, async |tx| {
            if !store::delete(tx, tenant, id).await? {
                return Ok(false);
            }
            let detail = json!({ "sink": id });
            audit::append(tx, self.env, self.keys, EventType::SinkRemoved, detail).await?;
            Ok(true)
        });
        removed.await
    }

    /// A tenant's sinks, or all.
    pub async fn list(&self, tenant: Option<TenantId>) -> Result<Vec<Sink>, StoreError> {
        let authority = Authority::<Platform>::job(Job::ForwardLog).read_only();
        let listed = self
            .db
            .run(authority, async |tx| store::list(tx, tenant).await);
        listed.await
    }

    /// Sends a sink one entry, and moves nothing: the last one that it has, so that nothing comes
    /// out of order there; or its first, if it has none. `None`: no such sink, or no such entry.
    pub async fn probe(&self, tenant: TenantId, id: SinkId) -> Result<Option<Probed>, StoreError> {
        let authority = Authority::<Platform>::job_in(Job::ForwardLog, tenant).read_only();
        let found = self
            .db
            .run(authority, async |tx| store::find(tx, tenant, id).await);
        let Some(way) = found.await? else {
            return Ok(None);
        };
        let before = (way.next_index - 1).max(0) - 1;
        let lines = self.db.run(reading(tenant), async |tx| {
            lines_after(tx, tenant, before, 1).await
        });
        let lines = lines.await?;
        let Some((index, _)) = lines.first() else {
            return Ok(None);
        };
        let index = *index;
        let failed = self.send(&way, lines).await.err();
        Ok(Some(Probed { index, failed }))
    }

    /// Hands entries over, each with its index.
    async fn send(&self, way: &Way, entries: Vec<(i64, String)>) -> Result<(), Failed> {
        let lines: Vec<String> = entries.into_iter().map(|(_, line)| line).collect();
        let authority = way.authority.as_deref();
        match way.address.kind() {
            Kind::Https => {
                let secret = self.secret(way)?;
                let known = (authority, secret.as_ref());
                https::send(&way.address, way.form, known, &lines).await
            }
            Kind::Syslog => {
                let host = self.issuer.url().host_str().unwrap_or_default();
                syslog::send(&way.address, authority, host, &lines).await
            }
        }
    }

    fn secret(&self, way: &Way) -> Result<Option<SecretString>, Failed> {
        let Some(sealed) = &way.secret_sealed else {
            return Ok(None);
        };
        let opened = self.keys.unwrap(&place(way.tenant, way.id), sealed);
        let opened = opened.ok_or(Failed::Unusable)?;
        let text = std::str::from_utf8(&opened).map_err(|_| Failed::Unusable)?;
        Ok(Some(SecretString::from(text)))
    }

    /// Now, and until when what is taken now is in our hand.
    fn span_from_now(&self) -> (OffsetDateTime, OffsetDateTime) {
        let now = self.env.now();
        (now, now + ABANDONED_AFTER)
    }

    /// Sends one sink what it lacks, batch after batch, as long as it takes it.
    async fn serve(&self, mut way: Way, mark: Uuid) -> Result<(), StoreError> {
        let authority = || Authority::<Platform>::job_in(Job::ForwardLog, way.tenant);
        loop {
            let (tenant, first) = (way.tenant, way.next_index);
            let read = self.db.run(reading(tenant), async |tx| {
                let entries = lines_after(tx, tenant, first - 1, BATCH).await?;
                let is_behind = entries.is_empty() && size(tx, tenant).await? > first;
                Ok::<_, StoreError>((entries, is_behind))
            });
            let (entries, is_behind) = read.await?;
            let places = entries.iter().map(|(index, _)| *index);
            let count = entries.len();
            let sent = if is_behind || !policy::is_without_gap(first, places) {
                Err(Failed::Gone)
            } else if count == 0 {
                Ok(())
            } else {
                self.send(&way, entries).await
            };
            if let Err(failed) = sent {
                return self.give_back(&way, mark, failed).await;
            }
            let next = first + i64::try_from(count).unwrap_or_default();
            let moved = self.db.run(authority(), async |tx| {
                if next == first {
                    store::release(tx, &way, mark).await?;
                    return Ok(false);
                }
                store::advance(tx, &way, mark, next, self.span_from_now()).await
            });
            if !moved.await? {
                return Ok(());
            }
            (way.next_index, way.failures) = (next, 0);
        }
    }

    async fn give_back(&self, way: &Way, mark: Uuid, failed: Failed) -> Result<(), StoreError> {
        let now = self.env.now();
        tracing::warn!(log = %way.tenant, sink = %way.id, why = %failed, "a sink lacks entries");
        let due_at = policy::next_try(way.failures + 1, now);
        let authority = Authority::<Platform>::job_in(Job::ForwardLog, way.tenant);
        let released = self.db.run(authority, async |tx| {
            store::release_failed(tx, way, mark, &failed.to_string(), (now, due_at)).await
        });
        released.await
    }
}

/// Begins to send every sink what it lacks, each in a task of its own. Repeatable at any moment, on
/// every server at once: each sink is in one's hand at a time.
pub async fn forward(app: &App, running: &mut JoinSet<()>) -> Result<(), StoreError> {
    while running.try_join_next().is_some() {}
    let mark = app.env.random_uuid();
    let when = Sinks::of(app).span_from_now();
    let authority = Authority::<Platform>::job(Job::ForwardLog);
    let taken = app.db.run(authority, async |tx| {
        store::take(tx, mark, when, SINKS_AT_ONCE).await
    });
    for way in taken.await? {
        let app = app.clone();
        running.spawn(async move {
            let (log, sink) = (way.tenant, way.id);
            if let Err(error) = Sinks::of(&app).serve(way, mark).await {
                let detail = chain(&error);
                tracing::error!(%log, %sink, %detail, "a sink can't be served");
            }
        });
    }
    Ok(())
}

/// Counts how the sinks stand, for operators.
pub async fn measure(app: &App) -> Result<(), StoreError> {
    let authority = Authority::<Platform>::job(Job::ForwardLog).read_only();
    let counted = app
        .db
        .run(authority, async |tx| store::count(tx).await)
        .await?;
    app.sinks.counted(counted);
    Ok(())
}
