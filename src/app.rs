//! What every request may use: one cheap handle.

use std::ops::Deref;
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::watch;

use crate::audit::log::Anchoring;
use crate::audit::sinks::SinkStanding;
use crate::config::Config;
use crate::db::{Db, Gathered};
use crate::env::Env;
use crate::identity::password::Hasher;
use crate::mail::Post;
use crate::metrics::Metrics;
use crate::oidc::authorize::issuing::Issues;
use crate::oidc::client::known::KnownClients;
use crate::oidc::code::redemption::Redemptions;
use crate::oidc::family::rotation::Rotations;
use crate::revocation::Feed;
use crate::secret::Keys;
use crate::signing::policy::{Doubt, Reading};
use crate::signing::ring::{KeyRing, KeyRingError};
use crate::signing::service::{self as signing, Keeper};

/// The process: configuration, environment, database, keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    inner: Arc<Parts>,
}

/// What an [`App`] holds.
#[derive(Debug)]
pub struct Parts {
    /// As parsed at start.
    pub config: Config,
    /// Time and randomness.
    pub env: Env,
    /// The planes' transactions.
    pub db: Db,
    /// Derived working keys.
    pub keys: Keys,
    /// Bounded password hashing.
    pub hasher: Hasher,
    /// What operators count.
    pub metrics: Metrics,
    /// How the post stands.
    pub post: Post,
    /// How the anchor of the logs stands.
    pub anchoring: Anchoring,
    /// How the sinks of the logs stand.
    pub sinks: SinkStanding,
    /// Clients as last read, each good for one version of its row.
    pub clients: KnownClients,
    /// Refreshes that are done together.
    pub(crate) rotations: Rotations,
    /// Codes that are given together.
    pub(crate) issues: Issues,
    /// Codes that are redeemed together.
    pub(crate) redemptions: Redemptions,
    /// What verifiers are told from.
    pub feed: Feed,
    ring: RwLock<Arc<KeyRing>>,
    ring_reading: Mutex<Reading>,
    ring_changed: watch::Sender<u64>,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.inner
    }
}

impl App {
    /// Loads the signing keys and is ready to serve.
    pub async fn new(config: Config, env: Env, db: Db, keys: Keys) -> Result<Self, KeyRingError> {
        let ring_reading = Mutex::new(Reading::at(env.now()));
        let ring = KeyRing::load(&db, &env, &keys, signing::rules(&config)).await?;
        let hasher = Hasher::new(config.password.parallelism, config.password.queue);
        let ring = RwLock::new(Arc::new(ring));
        let feed = Feed::beside(config.limits.requests);
        Ok(Self {
            inner: Arc::new(Parts {
                config,
                env,
                db,
                keys,
                hasher,
                metrics: Metrics::new(),
                post: Post::default(),
                anchoring: Anchoring::default(),
                sinks: SinkStanding::default(),
                clients: KnownClients::default(),
                rotations: Arc::new(Gathered::returning()),
                issues: Issues::default(),
                redemptions: Redemptions::default(),
                feed,
                ring,
                ring_reading,
                ring_changed: watch::Sender::new(0),
            }),
        })
    }

    /// The signing keys now.
    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().expect("no panic happens under this lock"))
    }

    /// Takes the keys as the database has them now.
    pub async fn reload_ring(&self) -> Result<(), KeyRingError> {
        let now = self.env.now();
        let read = self.ring().reload(&self.db, &self.keys).await;
        self.see_ring(|reading| match &read {
            Ok(_) => *reading = Reading::at(now),
            Err(KeyRingError::Missing(alg)) => reading.missing = Some(*alg),
            Err(_) => {}
        });
        if let Some(fresh) = read? {
            *self.ring.write().expect("no panic happens under this lock") = Arc::new(fresh);
            self.ring_changed.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    fn see_ring<T>(&self, look: impl FnOnce(&mut Reading) -> T) -> T {
        look(
            &mut self
                .ring_reading
                .lock()
                .expect("no panic happens under this lock"),
        )
    }

    /// Why this process should sign nothing, if there is a reason. Whatever speaks for one is read
    /// once more first: a database that came back is believed at once.
    pub async fn ring_doubt(&self) -> Option<Doubt> {
        let doubt = || self.see_ring(|reading| reading.doubt(self.env.now()));
        doubt()?;
        if let Err(error) = self.reload_ring().await {
            tracing::warn!(detail = %crate::http::chain(&error), "the signing keys can't be read");
        }
        doubt()
    }

    /// Rotates what is due, and takes it.
    pub async fn keep_ring(&self) -> Result<(), KeyRingError> {
        self.ring_keeper().keep().await?;
        self.reload_ring().await
    }

    /// For changes to the signing keys.
    pub fn ring_keeper(&self) -> Keeper<'_> {
        Keeper {
            db: &self.db,
            env: &self.env,
            keys: &self.keys,
            rules: signing::rules(&self.config),
        }
    }

    /// Resolves each time that other keys are published.
    pub(crate) fn ring_changes(&self) -> watch::Receiver<u64> {
        self.ring_changed.subscribe()
    }

    /// The issuer's identifier, as in `iss`.
    pub fn issuer(&self) -> &str {
        self.config.issuer.as_str()
    }
}
