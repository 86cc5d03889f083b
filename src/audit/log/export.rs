//! Writing a part of a log down, for whoever is to check it without us.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::ops::Range;

use serde_json::{Map, Value, json};
use time::Duration;

use super::instant;
use super::service::{LogError, Logs};
use super::store;
use crate::audit::format::export::{Block, BlockPlan, Header, VERSION, Writer, blocks};
use crate::audit::format::{Missing, NoteSigner, Subtree, TreeHash};
use crate::audit::{self, EventType};
use crate::db::{Authority, Job, Platform, Pooled, StoreError, Tenancy, Tx};
use crate::ids::TenantId;

/// So many entries are shown of a log's end at a time.
const LINES: i64 = 500;

/// A plane in whose transactions logs are read: an operator's, and a clinic's auditors'.
pub trait ReadsLogs: Pooled {}

impl ReadsLogs for Platform {}
impl ReadsLogs for Tenancy {}

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

/// An export that is being made: [`Logs::more`] gives it piece by piece. Of each read the same
/// transaction's authority is asked anew.
pub struct Export<A> {
    wanted: Wanted,
    entries: Range<u64>,
    authority: A,
    signer: NoteSigner,
    ahead: Ahead,
}

/// What is still to be given.
enum Ahead {
    /// All of it.
    Header(Box<Header>, Plans),
    /// The blocks that are left, and the end.
    Blocks(Box<Rest>),
    Nothing,
}

type Plans = Box<dyn Iterator<Item = BlockPlan> + Send>;
type Subtrees = HashMap<Subtree, TreeHash>;

/// What an export under way goes on with.
struct Rest {
    writer: Writer,
    plans: Plans,
    /// What the last block was proven by: most of it proves its neighbor too.
    known: Subtrees,
}

impl<A> std::fmt::Debug for Export<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export")
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl<A> Export<A> {
    /// Which entries it has.
    pub fn entries(&self) -> Range<u64> {
        self.entries.clone()
    }
}

impl Logs<'_> {
    /// Writes entries with all that proves them, as an operator; says which. On the record before
    /// anything is written. Memory is needed for one block.
    ///
    /// - `key_lifetime`: as in [`Self::sign`]
    pub async fn export(
        &self,
        wanted: Wanted,
        key_lifetime: Duration,
        out: &mut impl Write,
    ) -> Result<Range<u64>, ExportError> {
        let authority = || Authority::<Platform>::job_in(Job::ReadLog, wanted.tenant);
        let none = Map::new();
        let mut export = self
            .begin_export(wanted, authority, key_lifetime, none)
            .await?;
        while let Some(bytes) = self.more(&mut export).await? {
            out.write_all(&bytes)?;
        }
        Ok(export.entries)
    }

    /// Begins one, in transactions of this authority: nothing is shown that it may not read. When
    /// this returns it is on the record.
    ///
    /// - `key_lifetime`: as in [`Self::sign`]
    /// - `detail`: what else the event says
    pub async fn begin_export<R: ReadsLogs, A: Fn() -> Authority<R>>(
        &self,
        wanted: Wanted,
        authority: A,
        key_lifetime: Duration,
        detail: Map<String, Value>,
    ) -> Result<Export<A>, ExportError> {
        let tenant = wanted.tenant;
        // Before the checkpoint is chosen: what was anchored until then is no longer than that.
        let made_at = self.env.now();
        self.sequence_in_turn().await?;
        self.sign(key_lifetime).await?;
        let read = authority().read_only();
        let kept = self.db.run(read, async |tx: &mut Tx<R>| {
            store::newest_checkpoint(tx, tenant).await
        });
        let Some((size, checkpoint)) = kept.await? else {
            return Err(ExportError::NoSuchEntries { size: 0 });
        };
        let entries = wanted.from..wanted.to.unwrap_or(size);
        let Some(plans) = blocks(entries.clone(), size) else {
            return Err(ExportError::NoSuchEntries { size });
        };
        self.recorded(authority(), &entries, detail).await?;
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
        Ok(Export {
            wanted,
            entries,
            authority,
            signer,
            ahead: Ahead::Header(Box::new(header), Box::new(plans)),
        })
    }

    /// The next bytes; none after the last. After an error there are no more: what was given is
    /// cut short, and whoever checks it is told.
    pub async fn more<R: ReadsLogs, A: Fn() -> Authority<R>>(
        &self,
        export: &mut Export<A>,
    ) -> Result<Option<Vec<u8>>, ExportError> {
        match std::mem::replace(&mut export.ahead, Ahead::Nothing) {
            Ahead::Header(header, plans) => {
                let (writer, bytes) = Writer::begin(&header);
                export.ahead = Ahead::Blocks(Box::new(Rest {
                    writer,
                    plans,
                    known: HashMap::new(),
                }));
                Ok(Some(bytes))
            }
            Ahead::Blocks(mut rest) => {
                let Some(plan) = rest.plans.next() else {
                    let end = rest.writer.end(&export.signer).map_err(LogError::from)?;
                    return Ok(Some(end));
                };
                let read = (export.authority)().read_only();
                let bytes = self.block(read, export.wanted, &plan, &mut rest).await?;
                export.ahead = Ahead::Blocks(rest);
                Ok(Some(bytes))
            }
            Ahead::Nothing => Ok(None),
        }
    }

    async fn block<R: ReadsLogs>(
        &self,
        authority: Authority<R>,
        wanted: Wanted,
        plan: &BlockPlan,
        rest: &mut Rest,
    ) -> Result<Vec<u8>, ExportError> {
        let tenant = wanted.tenant;
        let known = &rest.known;
        let read = self.db.run(authority, async |tx: &mut Tx<R>| {
            let leaves = store::leaves(tx, tenant, &plan.leaves).await?;
            let missing = plan.proof.needs().filter(|one| !known.contains_key(one));
            let subtrees = store::subtrees(tx, tenant, missing).await?;
            let mut entries = store::lines(tx, tenant, &plan.entries).await?;
            if wanted.disclose {
                store::disclose(tx, tenant, &mut entries).await?;
            }
            Ok::<_, StoreError>((leaves, subtrees, entries))
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
        rest.known.extend(subtrees);
        let needs: HashSet<Subtree> = plan.proof.needs().collect();
        rest.known.retain(|one, _| needs.contains(one));
        let path: Vec<TreeHash> = plan.proof.prove(|one| rest.known.get(&one).copied())?;
        Ok(rest.writer.block(&Block {
            number: plan.number,
            leaves: &leaves,
            path: &path,
            entries: &entries,
        }))
    }

    /// Says in the log that these entries are written down.
    async fn recorded<R: ReadsLogs>(
        &self,
        authority: Authority<R>,
        entries: &Range<u64>,
        mut detail: Map<String, Value>,
    ) -> Result<(), StoreError> {
        detail.insert("from".to_owned(), entries.start.into());
        detail.insert("to".to_owned(), entries.end.into());
        let recorded = self.db.run(authority, async |tx: &mut Tx<R>| {
            let detail = Value::Object(detail);
            audit::append(tx, self.env, self.keys, EventType::AuditExported, detail).await
        });
        recorded.await
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

    /// Says in the log of a tenant that its end is read by an operator.
    pub async fn record_tail(&self, tenant: TenantId) -> Result<(), LogError> {
        let detail = json!({ "from": null, "to": null });
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
