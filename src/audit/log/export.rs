//! Writing a part of a log down, for whoever is to check it without us.

use std::io::{self, Write};
use std::ops::Range;

use serde_json::json;
use time::Duration;

use super::instant;
use super::service::{LogError, Logs};
use super::store;
use crate::audit::format::export::{Block, BlockPlan, Header, VERSION, Writer, blocks};
use crate::audit::format::{Missing, NoteSigner, TreeHash};
use crate::audit::{self, EventType};
use crate::db::{Authority, Job, Platform, StoreError, Tx};
use crate::ids::TenantId;

/// So many entries are shown of a log's end at a time.
const LINES: i64 = 500;

/// An export can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log can't be read or signed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The operator's: the log has no such entries.
    #[error("the log has {size} entries")]
    NoSuchEntries {
        /// So many it has.
        size: u64,
    },
    /// The operator's: not all of them are there. Either their month was archived and dropped, or
    /// somebody took one out.
    #[error("entry {index} is not in the database: archived, or taken out")]
    Gone {
        /// The first of these.
        index: u64,
    },
    /// The operator's: the file can't be written.
    #[error("the export can't be written")]
    Unwritable(#[from] io::Error),
    /// Ours: the tree lacks what it must have.
    #[error(transparent)]
    Missing(#[from] Missing),
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Log(error.into())
    }
}

/// Which entries of which log are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Whose log.
    pub tenant: TenantId,
    /// The first one.
    pub from: u64,
    /// The one after the last; `None`: to the log's end.
    pub to: Option<u64>,
    /// Whether what salted values were is shown.
    pub disclose: bool,
}

impl Logs<'_> {
    /// Writes entries with all that proves them; says which. On the record before anything is
    /// written. Memory is needed for one block.
    ///
    /// - `key_lifetime`: as in [`Self::sign`]
    pub async fn export(
        &self,
        wanted: Wanted,
        key_lifetime: Duration,
        out: &mut impl Write,
    ) -> Result<Range<u64>, ExportError> {
        let tenant = wanted.tenant;
        // Before the checkpoint is chosen: what was anchored until then is no longer than that.
        let made_at = self.env.now();
        self.sequence().await?;
        self.sign(key_lifetime).await?;
        let kept = self.read(tenant, async |tx| {
            store::newest_checkpoint(tx, tenant).await
        });
        let Some((size, checkpoint)) = kept.await? else {
            return Err(ExportError::NoSuchEntries { size: 0 });
        };
        let entries = wanted.from..wanted.to.unwrap_or(size);
        let Some(plans) = blocks(entries.clone(), size) else {
            return Err(ExportError::NoSuchEntries { size });
        };
        self.record(tenant, json!(entries.start), json!(entries.end))
            .await?;
        let (keys, signer) = (
            self.published_keys().await?,
            self.current_signer(key_lifetime).await?,
        );
        let header = Header {
            lanyard_audit: VERSION,
            log: tenant.to_string(),
            origin: self.origin(tenant),
            made_at: instant(made_at),
            selection: false,
            from: entries.start,
            to: entries.end,
            checkpoint,
            keys: keys.iter().map(|key| key.vkey.to_text()).collect(),
        };
        let (mut writer, bytes) = Writer::begin(&header);
        out.write_all(&bytes)?;
        for plan in plans {
            out.write_all(&self.block(wanted, &plan, &mut writer).await?)?;
        }
        out.write_all(&writer.end(&signer).map_err(LogError::from)?)?;
        Ok(entries)
    }

    async fn block(
        &self,
        wanted: Wanted,
        plan: &BlockPlan,
        writer: &mut Writer,
    ) -> Result<Vec<u8>, ExportError> {
        let tenant = wanted.tenant;
        let read = self.read(tenant, async |tx| {
            let leaves = store::leaves(tx, tenant, &plan.leaves).await?;
            let subtrees = store::subtrees(tx, tenant, plan.proof.needs()).await?;
            let mut entries = store::lines(tx, tenant, &plan.entries).await?;
            if wanted.disclose {
                store::disclose(tx, tenant, &mut entries).await?;
            }
            Ok((leaves, subtrees, entries))
        });
        let (leaves, subtrees, entries) = read.await?;
        let mut there = entries.iter().map(|entry| entry.index);
        if let Some(index) = plan
            .entries
            .clone()
            .find(|&index| there.next() != Some(index))
        {
            return Err(ExportError::Gone { index });
        }
        let path: Vec<TreeHash> = plan.proof.prove(|wanted| subtrees.get(&wanted).copied())?;
        Ok(writer.block(&Block {
            number: plan.number,
            leaves: &leaves,
            path: &path,
            entries: &entries,
        }))
    }

    /// The last lines of a log: those after `after`, or without it the last `last`. Gives the index
    /// of the last one too.
    pub async fn tail(
        &self,
        tenant: TenantId,
        after: Option<i64>,
        last: i64,
    ) -> Result<(Vec<String>, Option<i64>), LogError> {
        let read = self.read(tenant, async |tx| {
            let after = match after {
                Some(after) => after,
                None => store::size(tx, tenant).await? - last.clamp(0, LINES) - 1,
            };
            store::lines_after(tx, tenant, after, LINES).await
        });
        let lines = read.await?;
        let end = lines.last().map(|(index, _)| *index).or(after);
        Ok((lines.into_iter().map(|(_, line)| line).collect(), end))
    }

    /// Says in the log of a tenant that a part of it is read by an operator.
    ///
    /// - `to`: null if no end is known
    pub async fn record(
        &self,
        tenant: TenantId,
        from: serde_json::Value,
        to: serde_json::Value,
    ) -> Result<(), LogError> {
        let detail = json!({ "from": from, "to": to });
        let authority = Authority::<Platform>::job_in(Job::ReadLog, tenant);
        let recorded = self.db.run(authority, async |tx| {
            audit::append(tx, self.env, self.keys, EventType::AuditExported, detail).await
        });
        Ok(recorded.await?)
    }

    async fn read<T>(
        &self,
        tenant: TenantId,
        work: impl AsyncFnOnce(&mut Tx<Platform>) -> Result<T, StoreError>,
    ) -> Result<T, LogError> {
        let authority = Authority::<Platform>::job_in(Job::ReadLog, tenant).read_only();
        Ok(self.db.run(authority, work).await?)
    }

    async fn current_signer(&self, lifetime: Duration) -> Result<NoteSigner, LogError> {
        self.run(async |tx| self.signer(tx, lifetime).await).await
    }
}
