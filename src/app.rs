//! What every request may use: one cheap handle.

use std::ops::Deref;
use std::sync::{Arc, RwLock};

use crate::config::Config;
use crate::db::Db;
use crate::env::Env;
use crate::identity::password::Hasher;
use crate::metrics::Metrics;
use crate::oidc::client::known::KnownClients;
use crate::oidc::family::rotation::Rotations;
use crate::secret::Keys;
use crate::signing::ring::{KeyRing, KeyRingError};

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
    /// Clients as last read, each good for one version of its row.
    pub clients: KnownClients,
    /// Refreshes that are done together.
    pub rotations: Rotations,
    ring: RwLock<Arc<KeyRing>>,
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
        let ring = KeyRing::load(&db, &env, &keys).await?;
        let hasher = Hasher::new(config.password.parallelism, config.password.queue);
        let ring = RwLock::new(Arc::new(ring));
        Ok(Self {
            inner: Arc::new(Parts {
                config,
                env,
                db,
                keys,
                hasher,
                metrics: Metrics::new(),
                clients: KnownClients::default(),
                rotations: Rotations::default(),
                ring,
            }),
        })
    }

    /// The signing keys now.
    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().expect("no panic happens under this lock"))
    }

    /// Takes the keys as the database has them now.
    pub async fn reload_ring(&self) -> Result<(), KeyRingError> {
        let fresh = Arc::new(KeyRing::load(&self.db, &self.env, &self.keys).await?);
        *self.ring.write().expect("no panic happens under this lock") = fresh;
        Ok(())
    }

    /// The issuer's identifier, as in `iss`.
    pub fn issuer(&self) -> &str {
        self.config.issuer.as_str()
    }
}
