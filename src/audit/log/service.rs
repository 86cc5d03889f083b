//! Moving events into the logs, signing those, and anchoring what was signed.

use std::path::Path;

use time::Duration;
use uuid::Uuid;

use super::anchor::{self, AnchorError};
use super::key::id_of;
use super::store::{self, Unsigned};
use crate::app::App;
use crate::audit::format::{Checkpoint, NoteError, TreeHash};
use crate::config::Issuer;
use crate::db::{Authority, Db, Job, Sequencer, StoreError, Tx};
use crate::env::Env;
use crate::fault::{self, Point};
use crate::ids::TenantId;
use crate::secret::Keys;

/// So many events a transaction at most: each is short, and is wholly done or not at all.
const BATCH: i32 = 2000;
/// So many logs are signed, or anchored, at once.
const LOGS_AT_ONCE: i32 = 200;

/// The logs can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database failed.
    #[error("the logs can't be read or written")]
    Store(#[from] StoreError),
    /// Ours: events don't get their place, or not as fast as they come.
    #[error("events wait for their place in a log")]
    Behind,
    /// Ours: an issuer whose host is no name of a key.
    #[error("no key can sign for this issuer")]
    NoKey,
    /// Ours: a log whose origin no note can have.
    #[error("a checkpoint can't be signed")]
    Note(#[from] NoteError),
    /// The operator's: the anchor can't be reached, or knows another log.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
}

/// The means of whoever keeps the logs.
#[derive(Clone, Copy, Debug)]
pub struct Logs<'a> {
    /// Where they are.
    pub db: &'a Db,
    /// Time and randomness.
    pub env: &'a Env,
    /// What their keys' private halves are under.
    pub keys: &'a Keys,
    /// Whose logs they are.
    pub issuer: &'a Issuer,
}

/// What to do while another one sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing.
    IfFree,
    /// Wait.
    Awaited,
}

impl<'a> Logs<'a> {
    /// Of a process that serves.
    pub fn of(app: &'a App) -> Self {
        Self {
            db: &app.db,
            env: &app.env,
            keys: &app.keys,
            issuer: &app.config.issuer,
        }
    }

    /// The name of the keys that sign: the issuer's host, and `/audit`.
    pub(super) fn key_name(&self) -> String {
        let address = self.issuer.as_str();
        let host = address.split_once("://").map_or(address, |(_, host)| host);
        format!("{host}/audit")
    }

    /// The origin of a tenant's log: the keys' name, and the tenant's id.
    pub fn origin(&self, tenant: TenantId) -> String {
        format!("{}/{tenant}", self.key_name())
    }

    pub(super) async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut Tx<Sequencer>) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let authority = Authority::<Sequencer>::job(Job::SequenceLog);
        self.db.run(authority, work).await
    }

    /// Makes the partitions of the months to come.
    pub async fn make_partitions(&self) -> Result<(), LogError> {
        let made = self.run(async |tx| Ok(store::make_partitions(tx).await?));
        let made = made.await?;
        if made > 0 {
            tracing::info!(made, "months of the log were made");
        }
        Ok(())
    }

    /// Gives every event that is committed its place; says how many. Repeatable at any moment, on
    /// every server at once: one does it, and the others find nothing to do.
    pub async fn sequence(&self) -> Result<u64, LogError> {
        self.sequence_by(Turn::IfFree).await
    }

    /// As [`Self::sequence`], after whoever is at it: what was committed before is in the logs when
    /// this returns.
    pub async fn sequence_in_turn(&self) -> Result<u64, LogError> {
        self.sequence_by(Turn::Awaited).await
    }

    async fn sequence_by(&self, turn: Turn) -> Result<u64, LogError> {
        let mut all = 0;
        loop {
            let batch = self.run(async |tx| {
                if turn == Turn::Awaited {
                    store::await_turn(tx).await?;
                }
                let sequenced = store::sequence(tx, BATCH).await?;
                if sequenced > 0 {
                    fault::pass(Point::Placing, "");
                }
                Ok(sequenced)
            });
            let sequenced = batch.await?;
            if sequenced > 0 {
                fault::pass(Point::Placed, "");
            }
            all += u64::from(sequenced.unsigned_abs());
            if sequenced < BATCH {
                return Ok(all);
            }
        }
    }

    /// Signs every log that has grown; says how many.
    ///
    /// - `key_lifetime`: a key older than this is replaced first
    pub async fn sign(&self, key_lifetime: Duration) -> Result<u64, LogError> {
        let (mut after, mut all) = (Uuid::nil(), 0);
        loop {
            let batch = self.run(async |tx| self.sign_some(tx, after, key_lifetime).await);
            let Some((count, last)) = batch.await? else {
                return Ok(all);
            };
            fault::pass(Point::Signed, "");
            all += count;
            after = last.as_uuid();
        }
    }

    /// Signs some logs after `after`; says how many, and which was the last.
    async fn sign_some(
        &self,
        tx: &mut Tx<Sequencer>,
        after: Uuid,
        key_lifetime: Duration,
    ) -> Result<Option<(u64, TenantId)>, LogError> {
        let signer = self.signer(tx, key_lifetime).await?;
        let grown = store::unsigned(tx, after, LOGS_AT_ONCE).await?;
        let Some(last) = grown.last().map(|log| log.tenant_id) else {
            return Ok(None);
        };
        let sign = |log: Unsigned| {
            let checkpoint = self.checkpoint(&log)?;
            Ok::<_, LogError>((log, checkpoint.sign(&signer)?))
        };
        let notes = grown.into_iter().map(sign).collect::<Result<Vec<_>, _>>()?;
        let count = notes.len() as u64;
        let key = id_of(signer.vkey());
        store::keep_checkpoints(tx, notes, &key, self.env.now()).await?;
        Ok(Some((count, last)))
    }

    fn checkpoint(&self, log: &Unsigned) -> Result<Checkpoint, StoreError> {
        let corrupt = |what| StoreError::Corrupt {
            table: "audit.log",
            what,
        };
        Ok(Checkpoint {
            origin: self.origin(log.tenant_id),
            size: log
                .size
                .try_into()
                .map_err(|_| corrupt("a size below nothing"))?,
            root: TreeHash::try_from(log.root.as_slice()).map_err(|_| corrupt("no root"))?,
        })
    }

    /// Takes every checkpoint that is not there yet to the anchor; says how many.
    ///
    /// # Errors
    /// [`LogError::Anchor`] if one is not taken, which keeps no other away; also if there is none
    /// to take and the folder is not there.
    pub async fn anchor(&self, folder: &Path) -> Result<u64, LogError> {
        anchor::reach(folder)?;
        let (mut all, failed) = self.anchor_waiting(folder).await?;
        if failed.is_none() {
            return Ok(all);
        }
        // Another server may have signed and anchored more of a log since it was read. Then the
        // database knows that by now; if it does not, the anchor knows another log.
        let (more, failed) = self.anchor_waiting(folder).await?;
        all += more;
        failed.map_or(Ok(all), |failed| Err(failed.into()))
    }

    /// Goes over those that wait once: says how many are there now, and why not the first of the
    /// others.
    async fn anchor_waiting(&self, folder: &Path) -> Result<(u64, Option<AnchorError>), LogError> {
        let (mut after, mut all, mut failed) = (Uuid::nil(), 0, None);
        loop {
            let batch = self.run(async |tx| Ok(store::unanchored(tx, after, LOGS_AT_ONCE).await?));
            let waiting = batch.await?;
            let Some(last) = waiting.last() else {
                return Ok((all, failed));
            };
            after = last.tenant_id.as_uuid();
            let folder = folder.to_owned();
            let done = tokio::task::spawn_blocking(move || anchor::keep(&folder, waiting));
            let done = done.await.expect("writing files does not panic");
            fault::pass(Point::Anchored, "");
            all += done.kept.len() as u64;
            failed = failed.or(done.failed);
            let at = self.env.now();
            self.run(async |tx| Ok(store::mark_anchored(tx, &done.kept, at).await?))
                .await?;
        }
    }
}

/// Gives what was recorded its place, signs what has grown and anchors it, and says so to who asks
/// how the anchor stands: that nothing is signed any more must not pass for that all is.
///
/// # Errors
/// [`LogError`]; what is in the logs is signed and anchored also where they do not grow.
pub async fn keep(app: &App) -> Result<(), LogError> {
    let logs = Logs::of(app);
    let began_at = app.env.now();
    let placed = logs.sequence().await;
    logs.sign(app.config.audit.key_lifetime).await?;
    logs.anchor(&app.config.anchor()).await?;
    app.metrics.sequenced(placed?);
    // Another server may be at it, and fail.
    if logs.run(async |tx| Ok(store::is_behind(tx).await?)).await? {
        return Err(LogError::Behind);
    }
    app.anchoring.reached(began_at);
    Ok(())
}
