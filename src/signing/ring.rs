//! The ring of keys in memory: what signs now, and what is published.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::key::{Alg, BadKey, SigningKey};
use super::policy::{KeyLife, Rules, Standing};
use super::service::Keeper;
use super::store;
use crate::db::{Authority, Db, Identity, Job, StoreError, chain};
use crate::env::Env;
use crate::secret::{DataKey, Keys, Sealing};

/// Another replica's change to the keys is known here after this long at the latest.
pub const RELOAD: std::time::Duration = std::time::Duration::from_secs(5);

/// The keys that are not gone. Immutable: a rotation makes a new ring.
#[derive(Debug)]
pub struct KeyRing {
    current: [Arc<SigningKey>; 3],
    current_since: [OffsetDateTime; 3],
    verifying: Vec<Arc<SigningKey>>,
    jwks: Value,
    standings: Vec<(String, String)>,
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

/// For who does something else with the database, and needs the keys to it.
impl From<KeyRingError> for StoreError {
    fn from(error: KeyRingError) -> Self {
        match error {
            KeyRingError::Store(error) => error,
            other => {
                tracing::error!(detail = %chain(&other), "the signing keys can't be had");
                Self::Corrupt {
                    table: "identity.signing_key",
                    what: "a ring that can't be loaded",
                }
            }
        }
    }
}

impl KeyRing {
    /// Loads the ring; makes the first key of each algorithm where there is none.
    pub async fn load(db: &Db, env: &Env, keys: &Keys, rules: Rules) -> Result<Self, KeyRingError> {
        let rows = list(db).await?;
        let has_current = |alg: Alg| {
            rows.iter()
                .any(|row| row.alg == alg.name() && row.standing == "current")
        };
        let missing: Vec<Alg> = Alg::ALL.into_iter().filter(|a| !has_current(*a)).collect();
        if missing.is_empty() {
            return Self::open(&rows, keys, None);
        }
        let keeper = Keeper {
            db,
            env,
            keys,
            rules,
        };
        for alg in missing {
            keeper.make_first(alg).await?;
        }
        Self::open(&list(db).await?, keys, None)
    }

    /// The ring as the database has it now; `None` if it is this one. A key that is here already
    /// is not opened again.
    pub async fn reload(&self, db: &Db, keys: &Keys) -> Result<Option<Self>, KeyRingError> {
        let rows = list(db).await?;
        let standings = standings_of(&rows);
        if standings == self.standings {
            return Ok(None);
        }
        Self::open(&rows, keys, Some(self)).map(Some)
    }

    fn open(
        rows: &[store::KeyRow],
        keys: &Keys,
        before: Option<&Self>,
    ) -> Result<Self, KeyRingError> {
        let mut verifying = Vec::new();
        let mut current = Vec::new();
        for row in rows {
            let known = before.and_then(|ring| ring.named(&row.kid));
            let key = match known {
                Some(key) => Arc::clone(key),
                None => Arc::new(open_key(row, keys)?),
            };
            if row.standing == "current" {
                let since = row.current_since.unwrap_or(row.created_at);
                current.push((Arc::clone(&key), since));
            }
            verifying.push(key);
        }
        let of = |alg: Alg| {
            let key = current.iter().find(|(key, _)| key.alg() == alg);
            key.cloned().ok_or(KeyRingError::Missing(alg.name()))
        };
        let [es256, rs256, eddsa] = [of(Alg::Es256)?, of(Alg::Rs256)?, of(Alg::EdDsa)?];
        let published: Vec<&Value> = verifying.iter().map(|key| key.public_jwk()).collect();
        let jwks = json!({ "keys": published });
        Ok(Self {
            current: [es256.0, rs256.0, eddsa.0],
            current_since: [es256.1, rs256.1, eddsa.1],
            verifying,
            jwks,
            standings: standings_of(rows),
        })
    }

    /// The key that signs with `alg` now.
    pub fn current(&self, alg: Alg) -> &SigningKey {
        &self.current[place_of(alg)]
    }

    /// Since when it does.
    pub const fn current_since(&self, alg: Alg) -> OffsetDateTime {
        self.current_since[place_of(alg)]
    }

    /// The published key of that name, to check what comes back to us.
    pub fn find(&self, kid: &str) -> Option<&SigningKey> {
        self.named(kid).map(Arc::as_ref)
    }

    fn named(&self, kid: &str) -> Option<&Arc<SigningKey>> {
        self.verifying.iter().find(|key| key.kid() == kid)
    }

    /// The JWK Set as published (RFC 7517 §5): public halves only.
    pub const fn jwks(&self) -> &Value {
        &self.jwks
    }
}

const fn place_of(alg: Alg) -> usize {
    match alg {
        Alg::Es256 => 0,
        Alg::Rs256 => 1,
        Alg::EdDsa => 2,
    }
}

fn standings_of(rows: &[store::KeyRow]) -> Vec<(String, String)> {
    let pair = |row: &store::KeyRow| (row.kid.clone(), row.standing.clone());
    rows.iter().map(pair).collect()
}

/// Opens one key, and tries it (attacks CFG-11).
fn open_key(row: &store::KeyRow, keys: &Keys) -> Result<SigningKey, KeyRingError> {
    let sealed = || KeyRingError::Sealed {
        kid: row.kid.clone(),
    };
    let alg = Alg::parse(&row.alg).ok_or_else(sealed)?;
    let der = keys
        .unwrap(&place(&row.kid), &row.private_sealed)
        .ok_or_else(sealed)?;
    let key = SigningKey::parse(alg, &der)?;
    if key.kid() != row.kid || *key.public_jwk() != row.public_jwk {
        return Err(sealed());
    }
    if !key.verifies(b"self-test", &key.sign(b"self-test")) {
        return Err(KeyRingError::SelfTest {
            kid: row.kid.clone(),
        });
    }
    Ok(key)
}

/// The keys that are not gone, newest first; makes none and opens none.
pub async fn lives(db: &Db) -> Result<Vec<KeyLife>, StoreError> {
    let rows = list(db).await?;
    rows.into_iter().map(life).collect()
}

fn life(row: store::KeyRow) -> Result<KeyLife, StoreError> {
    let corrupt = |what| StoreError::Corrupt {
        table: "identity.signing_key",
        what,
    };
    let standing = Standing::parse(&row.standing).ok_or(corrupt("standing"))?;
    let since = match standing {
        Standing::Next => row.created_at,
        Standing::Current => row.current_since.unwrap_or(row.created_at),
        Standing::Previous => row.previous_since.ok_or(corrupt("previous_since"))?,
    };
    Ok(KeyLife {
        alg: Alg::parse(&row.alg).ok_or(corrupt("alg"))?,
        kid: row.kid,
        standing,
        published_at: row.created_at,
        since,
        signs_from: row.signs_from,
    })
}

/// Whether the signing keys of an old database, if it has any, are under the keys that were
/// derived from this one: nothing else tells the right master key from a wrong one there.
pub(crate) async fn opens_under(db: &Db, root: &DataKey) -> Result<bool, StoreError> {
    let sealing = Sealing::new(&root.derive("wrap"));
    let rows = list(db).await?;
    Ok(rows.iter().all(|row| {
        sealing
            .open(&place(&row.kid), &row.private_sealed)
            .is_some()
    }))
}

async fn list(db: &Db) -> Result<Vec<store::KeyRow>, StoreError> {
    let authority = Authority::<Identity>::job(Job::KeyRing).read_only();
    db.run(authority, async |tx| store::list(tx).await).await
}

pub(super) fn place(kid: &str) -> String {
    format!("identity.signing_key/{kid}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{MasterKey, MasterKeys};

    /// CFG-11: each key signs and verifies before anything listens, and without a key of each
    /// algorithm nothing loads.
    #[test]
    fn a_ring_without_a_key_that_works_does_not_load() {
        let env = Env::system();
        let master = Arc::new(MasterKeys::only(MasterKey::random(&env)));
        let keys = Keys::of(&DataKey::random(&env), 1, master);
        let row = |alg: Alg| {
            let der = SigningKey::generate(alg);
            let key = SigningKey::parse(alg, &der).expect("a fresh one");
            store::KeyRow {
                kid: key.kid().to_owned(),
                alg: alg.name().to_owned(),
                standing: "current".to_owned(),
                public_jwk: key.public_jwk().clone(),
                private_sealed: keys.wrap(&env, &place(key.kid()), &der),
                created_at: env.now(),
                signs_from: None,
                current_since: None,
                previous_since: None,
            }
        };
        let mut rows: Vec<_> = Alg::ALL.map(row).into();
        assert!(KeyRing::open(&rows, &keys, None).is_ok());
        let other = row(Alg::Es256).public_jwk;
        let own = std::mem::replace(&mut rows[0].public_jwk, other);
        let swapped = KeyRing::open(&rows, &keys, None);
        assert!(matches!(swapped, Err(KeyRingError::Sealed { .. })));
        rows[0].public_jwk = own;
        rows[0].alg = "none".to_owned();
        assert!(KeyRing::open(&rows, &keys, None).is_err());
        for missing in 1..=3 {
            rows.truncate(3 - missing);
            let opened = KeyRing::open(&rows, &keys, None);
            assert!(opened.is_err(), "{missing} missing");
        }
    }
}
