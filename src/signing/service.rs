//! Making, rotating and revoking signing keys. Safe on every replica at once: each step is one
//! conditional write, and whoever comes second finds nothing to do.

use serde_json::json;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::key::{Alg, SigningKey};
use super::policy::{self, KeyLife, Rules, Standing, Step};
use super::ring::{self, KeyRingError, place};
use super::store::{self, NewKey};
use crate::audit::{self, EventType};
use crate::config::Config;
use crate::db::{Authority, Db, Identity, Job, StoreError, Tx};
use crate::env::Env;
use crate::secret::Keys;

/// The means of every change to the ring.
#[derive(Clone, Copy, Debug)]
pub struct Keeper<'a> {
    /// Where the ring is.
    pub db: &'a Db,
    /// Time and randomness.
    pub env: &'a Env,
    /// What the private halves are under.
    pub keys: &'a Keys,
    /// How long keys live.
    pub rules: Rules,
}

/// The rules of a configuration.
pub fn rules(config: &Config) -> Rules {
    let tokens = &config.lifetimes;
    Rules {
        rotate_every: config.signing.rotate_every,
        longest_token: tokens
            .access_token
            .max(tokens.id_token)
            .max(tokens.client_credentials_token),
    }
}

/// A fresh private key, not yet stored.
struct Fresh {
    key: SigningKey,
    sealed: Vec<u8>,
}

impl Fresh {
    fn as_new(&self) -> NewKey<'_> {
        NewKey {
            kid: self.key.kid(),
            alg: self.key.alg(),
            public_jwk: self.key.public_jwk(),
            private_sealed: &self.sealed,
        }
    }
}

impl Keeper<'_> {
    /// Does what is due by the schedule; `true` if anything changed.
    pub async fn keep(&self) -> Result<bool, KeyRingError> {
        let lives = ring::lives(self.db).await?;
        let mut has_changed = false;
        for alg in Alg::ALL {
            let own: Vec<KeyLife> = lives.iter().filter(|k| k.alg == alg).cloned().collect();
            for step in policy::due(&own, self.rules, self.env.now()) {
                has_changed |= self.take(alg, step).await?;
            }
        }
        Ok(has_changed)
    }

    /// Rotates as soon as every verifier can have the next key: now, if it is published long
    /// enough.
    pub async fn rotate(&self) -> Result<(), KeyRingError> {
        // A next key of each algorithm first.
        self.keep().await?;
        let now = self.env.now();
        self.run(async |tx| {
            for alg in Alg::ALL {
                store::hasten(tx, alg, now).await?;
            }
            Ok(())
        })
        .await?;
        self.keep().await?;
        Ok(())
    }

    /// Withdraws keys at once, and lets others sign at once: the next of their algorithm, or a
    /// fresh one. Says which were withdrawn.
    ///
    /// - `which`: a `kid`, or an algorithm for all keys of it
    pub async fn revoke(&self, which: &str) -> Result<Vec<KeyLife>, KeyRingError> {
        let lives = ring::lives(self.db).await?;
        let is_meant = |key: &&KeyLife| key.kid == which || key.alg.name() == which;
        let meant: Vec<KeyLife> = lives.iter().filter(is_meant).cloned().collect();
        for alg in Alg::ALL {
            let own: Vec<&KeyLife> = meant.iter().filter(|k| k.alg == alg).collect();
            if !own.is_empty() {
                self.replace(alg, &own).await?;
            }
        }
        Ok(meant)
    }

    /// Withdraws every key there is: whatever a restore brought back signs nothing.
    pub async fn revoke_all(&self) -> Result<(), KeyRingError> {
        for alg in Alg::ALL {
            self.revoke(alg.name()).await?;
        }
        Ok(())
    }

    async fn replace(&self, alg: Alg, gone: &[&KeyLife]) -> Result<(), KeyRingError> {
        let fresh = self.make(alg).await?;
        let now = self.env.now();
        self.run(async |tx| {
            let mut wants_current = false;
            for key in gone {
                if store::mark_gone(tx, &key.kid, key.standing, now).await? {
                    wants_current |= key.standing == Standing::Current;
                    let detail = json!({ "kid": key.kid, "alg": alg.name() });
                    self.record(tx, EventType::KeysRevoked, detail).await?;
                }
            }
            if !wants_current {
                return Ok(());
            }
            let promoted = store::mark_current(tx, alg, now).await?;
            let kid = if let Some(kid) = promoted {
                kid
            } else {
                store::insert(tx, &fresh.as_new(), Standing::Current, None, now).await?;
                fresh.key.kid().to_owned()
            };
            self.rotated(tx, &kid, alg, "current").await
        })
        .await
    }

    async fn take(&self, alg: Alg, step: Step) -> Result<bool, KeyRingError> {
        let now = self.env.now();
        match step {
            Step::Publish { signs_from } => self.publish(alg, signs_from).await,
            Step::Promote { next, current } => {
                self.run(async |tx| {
                    if !store::mark_previous(tx, &current, now).await? {
                        return Ok(false);
                    }
                    let promoted = store::mark_current(tx, alg, now).await?;
                    if promoted.as_deref() != Some(&next) {
                        // It was withdrawn meanwhile: the current one goes on.
                        return Err(StoreError::Corrupt {
                            table: "identity.signing_key",
                            what: "no next key to promote",
                        });
                    }
                    self.rotated(tx, &next, alg, "current").await?;
                    Ok(true)
                })
                .await
            }
            Step::Retire { kid } => {
                self.run(async |tx| {
                    let is_gone = store::mark_gone(tx, &kid, Standing::Previous, now).await?;
                    if is_gone {
                        self.rotated(tx, &kid, alg, "gone").await?;
                    }
                    Ok(is_gone)
                })
                .await
            }
        }
    }

    async fn publish(&self, alg: Alg, signs_from: OffsetDateTime) -> Result<bool, KeyRingError> {
        let fresh = self.make(alg).await?;
        self.run(async |tx| {
            let (next, now) = (Standing::Next, self.env.now());
            let is_ours = store::insert(tx, &fresh.as_new(), next, Some(signs_from), now).await?;
            if is_ours {
                self.rotated(tx, fresh.key.kid(), alg, "next").await?;
            }
            Ok(is_ours)
        })
        .await
    }

    /// Makes the first current key of an algorithm; nothing happens if there is one.
    pub(super) async fn make_first(&self, alg: Alg) -> Result<(), KeyRingError> {
        let fresh = self.make(alg).await?;
        self.run(async |tx| {
            let (current, now) = (Standing::Current, self.env.now());
            store::insert(tx, &fresh.as_new(), current, None, now).await?;
            Ok(())
        })
        .await
    }

    async fn make(&self, alg: Alg) -> Result<Fresh, KeyRingError> {
        let der: Zeroizing<Vec<u8>> =
            tokio::task::spawn_blocking(move || SigningKey::generate(alg))
                .await
                .expect("key generation does not panic");
        let key = SigningKey::parse(alg, &der)?;
        let sealed = self.keys.wrap(self.env, &place(key.kid()), &der);
        Ok(Fresh { key, sealed })
    }

    async fn rotated(
        &self,
        tx: &mut Tx<Identity>,
        kid: &str,
        alg: Alg,
        standing: &str,
    ) -> Result<(), StoreError> {
        let detail = json!({ "kid": kid, "alg": alg.name(), "standing": standing });
        self.record(tx, EventType::KeysRotated, detail).await
    }

    async fn record(
        &self,
        tx: &mut Tx<Identity>,
        event: EventType,
        detail: serde_json::Value,
    ) -> Result<(), StoreError> {
        audit::append(tx, self.env, self.keys, event, detail).await
    }

    async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut Tx<Identity>) -> Result<T, StoreError>,
    ) -> Result<T, KeyRingError> {
        let authority = Authority::<Identity>::job(Job::KeyRing);
        Ok(self.db.run(authority, work).await?)
    }
}
