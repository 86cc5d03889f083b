//! The ring of keys in memory: what signs now, and what is published.

use std::sync::Arc;

use serde_json::{Value, json};

use super::key::{Alg, BadKey, SigningKey};
use super::store;
use crate::db::{Authority, Db, Identity, Job, StoreError};
use crate::env::Env;
use crate::secret::Keys;

/// The keys that are not gone. Immutable: a rotation makes a new ring.
#[derive(Debug)]
pub struct KeyRing {
    current: [Arc<SigningKey>; 3],
    verifying: Vec<Arc<SigningKey>>,
    jwks: Value,
}

/// The ring can't be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The database failed.
    #[error("the signing keys can't be loaded")]
    Store(#[from] StoreError),
    /// A stored key does not open under this master key, or was changed.
    #[error("signing key {kid} does not open: is this the right master key?")]
    Sealed {
        /// Which.
        kid: String,
    },
    /// A stored key opens but is none.
    #[error(transparent)]
    Bad(#[from] BadKey),
    /// No key of this algorithm is current.
    #[error("no current {0} key")]
    Missing(&'static str),
    /// A key does not verify what it signed (start-up self-test).
    #[error("signing key {kid} fails its self-test")]
    SelfTest {
        /// Which.
        kid: String,
    },
}

impl KeyRing {
    /// Loads the ring; makes the first key of each algorithm where there is none.
    pub async fn load(db: &Db, env: &Env, keys: &Keys) -> Result<Self, KeyRingError> {
        let rows = list(db).await?;
        let missing: Vec<Alg> = Alg::ALL
            .into_iter()
            .filter(|alg| {
                !rows
                    .iter()
                    .any(|r| r.alg == alg.name() && r.standing == "current")
            })
            .collect();
        if missing.is_empty() {
            return Self::open(&rows, keys);
        }
        for alg in missing {
            make_current(db, env, keys, alg).await?;
        }
        Self::open(&list(db).await?, keys)
    }

    fn open(rows: &[store::KeyRow], keys: &Keys) -> Result<Self, KeyRingError> {
        let mut verifying = Vec::new();
        let mut current = Vec::new();
        for row in rows {
            let sealed = || KeyRingError::Sealed {
                kid: row.kid.clone(),
            };
            let alg = Alg::parse(&row.alg).ok_or_else(sealed)?;
            let der = keys
                .unwrap(&place(&row.kid), &row.private_sealed)
                .ok_or_else(sealed)?;
            let key = Arc::new(SigningKey::parse(alg, &der)?);
            if key.kid() != row.kid || *key.public_jwk() != row.public_jwk {
                return Err(sealed());
            }
            if !key.verifies(b"self-test", &key.sign(b"self-test")) {
                return Err(KeyRingError::SelfTest {
                    kid: row.kid.clone(),
                });
            }
            if row.standing == "current" {
                current.push(Arc::clone(&key));
            }
            verifying.push(key);
        }
        let of = |alg: Alg| {
            let key = current.iter().find(|key| key.alg() == alg);
            key.cloned().ok_or(KeyRingError::Missing(alg.name()))
        };
        let current = [of(Alg::Es256)?, of(Alg::Rs256)?, of(Alg::EdDsa)?];
        let published: Vec<&Value> = verifying.iter().map(|key| key.public_jwk()).collect();
        let jwks = json!({ "keys": published });
        Ok(Self {
            current,
            verifying,
            jwks,
        })
    }

    /// The key that signs with `alg` now.
    pub fn current(&self, alg: Alg) -> &SigningKey {
        match alg {
            Alg::Es256 => &self.current[0],
            Alg::Rs256 => &self.current[1],
            Alg::EdDsa => &self.current[2],
        }
    }

    /// The published key of that name, to check what comes back to us.
    pub fn find(&self, kid: &str) -> Option<&SigningKey> {
        self.verifying
            .iter()
            .find(|key| key.kid() == kid)
            .map(Arc::as_ref)
    }

    /// The JWK Set as published (RFC 7517 §5): public halves only.
    pub const fn jwks(&self) -> &Value {
        &self.jwks
    }
}

/// A key as `lanyard keys list` tells of it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct KeyStanding {
    /// Its name.
    pub kid: String,
    /// What it signs with.
    pub alg: String,
    /// next, current or previous.
    pub standing: String,
}

/// The keys that are not gone, newest first; makes none and opens none.
pub async fn standings(db: &Db) -> Result<Vec<KeyStanding>, StoreError> {
    let rows = list(db).await?;
    let shown = |row: store::KeyRow| KeyStanding {
        kid: row.kid,
        alg: row.alg,
        standing: row.standing,
    };
    Ok(rows.into_iter().map(shown).collect())
}

async fn list(db: &Db) -> Result<Vec<store::KeyRow>, StoreError> {
    let authority = Authority::<Identity>::job(Job::KeyRing).read_only();
    db.run(authority, async |tx| store::list(tx).await).await
}

async fn make_current(db: &Db, env: &Env, keys: &Keys, alg: Alg) -> Result<(), KeyRingError> {
    let der = tokio::task::spawn_blocking(move || SigningKey::generate(alg))
        .await
        .expect("key generation does not panic");
    let key = SigningKey::parse(alg, &der)?;
    let sealed = keys.wrap(env, &place(key.kid()), &der);
    let authority = Authority::<Identity>::job(Job::KeyRing);
    db.run(authority, async |tx| {
        store::insert_current(tx, key.kid(), alg, key.public_jwk(), &sealed, env.now()).await
    })
    .await?;
    Ok(())
}

fn place(kid: &str) -> String {
    format!("identity.signing_key/{kid}")
}
