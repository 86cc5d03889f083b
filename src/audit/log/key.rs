//! The keys that sign checkpoints: one signs, and the public halves of all are published for good.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::service::{LogError, Logs};
use super::store::{self, NewKey};
use crate::audit::format::{NoteSigner, Vkey};
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, Job, Sequencer, StoreError, Tx};

/// Where a private half belongs.
fn place(id: &str) -> String {
    format!("audit.log_key/{id}/private")
}

/// A log key as auditors need it.
#[derive(Clone, Debug)]
pub struct PublishedKey {
    /// With its name and id.
    pub vkey: Vkey,
    /// It signed, or signs, from then on.
    pub from: OffsetDateTime,
    /// It signed until then; `None`: it does still.
    pub until: Option<OffsetDateTime>,
}

impl PublishedKey {
    /// Its id: 8 hexadecimal digits.
    pub fn id(&self) -> String {
        id_of(&self.vkey)
    }
}

/// The id of a key, as it stands in the table and in its text.
pub(super) fn id_of(vkey: &Vkey) -> String {
    hex::encode(vkey.id())
}

impl Logs<'_> {
    /// The public halves of all keys there were, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn published_keys(&self) -> Result<Vec<PublishedKey>, StoreError> {
        let authority = Authority::<Identity>::job(Job::KeyRing).read_only();
        self.db
            .run(authority, async |tx| store::published_keys(tx).await)
            .await
    }

    /// The key that signs now: made if there is none, replaced if it is older than `lifetime`.
    pub(super) async fn signer(
        &self,
        tx: &mut Tx<Sequencer>,
        lifetime: Duration,
    ) -> Result<NoteSigner, LogError> {
        let now = self.env.now();
        let current = store::current_key(tx).await?;
        if let Some(key) = &current
            && now - key.current_since < lifetime
        {
            return self.open(&key.key_id, &key.name, &key.private_sealed);
        }
        let old = current.as_ref().map(|key| key.key_id.as_str());
        match self.replace(tx, old, now).await? {
            Some(fresh) => Ok(fresh),
            // Another server was faster.
            None => match store::current_key(tx).await? {
                Some(key) => self.open(&key.key_id, &key.name, &key.private_sealed),
                None => Err(LogError::NoKey),
            },
        }
    }

    /// Lets a fresh key sign in place of `old`; `None` if that one is not current any more.
    pub(super) async fn replace(
        &self,
        tx: &mut Tx<Sequencer>,
        old: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Option<NoteSigner>, LogError> {
        if let Some(old) = old
            && !store::retire_key(tx, old, now).await?
        {
            return Ok(None);
        }
        let seed = zeroize::Zeroizing::new(self.env.random_bytes::<32>());
        let fresh = NoteSigner::from_seed(&self.key_name(), &seed).ok_or(LogError::NoKey)?;
        let id = id_of(fresh.vkey());
        let private_sealed = self.keys.wrap(self.env, &place(&id), seed.as_slice());
        let new = NewKey {
            id: &id,
            vkey: fresh.vkey(),
            private_sealed: &private_sealed,
        };
        if !store::insert_key(tx, &new, now).await? {
            return Ok(None);
        }
        let detail = json!({ "key": id, "replaced": old });
        audit::append(tx, self.env, self.keys, EventType::AuditKeyRotated, detail).await?;
        Ok(Some(fresh))
    }

    fn open(&self, id: &str, name: &str, sealed: &[u8]) -> Result<NoteSigner, LogError> {
        let seed = self.keys.unwrap(&place(id), sealed);
        let seed = seed.as_deref().and_then(|seed| seed.first_chunk::<32>());
        let signer = seed.and_then(|seed| NoteSigner::from_seed(name, seed));
        // Under another name or in another row it would sign as somebody else.
        let signer = signer.filter(|signer| id_of(signer.vkey()) == id);
        signer.ok_or(LogError::Store(StoreError::Corrupt {
            table: "audit.log_key",
            what: "a key that does not open, or is another's",
        }))
    }
}
