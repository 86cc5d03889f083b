//! The statements of the sequencer, of those who read logs and keys, and of who keeps entries.

use std::collections::HashMap;
use std::ops::Range;

use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::anchor::Unanchored;
use super::export::ReadsLogs;
use super::keeping::{Hold, Kept};
use super::key::PublishedKey;
use crate::audit::format::export::{Digests, Disclosure, Entry};
use crate::audit::format::{Subtree, TreeHash, Vkey};
use crate::db::{Identity, Platform, Sequencer, StoreError, Tx};
use crate::ids::TenantId;

/// Makes the partitions of the months to come; says how many.
pub(super) async fn make_partitions(tx: &mut Tx<Sequencer>) -> Result<i32, StoreError> {
    let made = sqlx::query_scalar("select audit.make_partitions()");
    Ok(made.fetch_one(tx.conn()).await?)
}

/// Waits until none but this transaction sequences.
pub(super) async fn await_turn(tx: &mut Tx<Sequencer>) -> Result<(), StoreError> {
    let turn = sqlx::query("select audit.await_turn()");
    turn.execute(tx.conn()).await?;
    Ok(())
}

/// Gives at most so many events their place; says how many got one.
pub(super) async fn sequence(tx: &mut Tx<Sequencer>, most: i32) -> Result<i32, StoreError> {
    let sequenced = sqlx::query_scalar("select audit.sequence($1)");
    Ok(sequenced.bind(most).fetch_one(tx.conn()).await?)
}

/// Whether events wait that should have got theirs long since.
pub(super) async fn is_behind(tx: &mut Tx<Sequencer>) -> Result<bool, StoreError> {
    let is_behind = sqlx::query_scalar("select audit.is_behind()");
    Ok(is_behind.fetch_one(tx.conn()).await?)
}

/// A log that has grown since it was last signed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Unsigned {
    pub(super) tenant_id: TenantId,
    pub(super) size: i64,
    pub(super) root: Vec<u8>,
}

/// Such logs in the order of their ids, after `after`.
pub(super) async fn unsigned(
    tx: &mut Tx<Sequencer>,
    after: Uuid,
    most: i32,
) -> Result<Vec<Unsigned>, StoreError> {
    let grown = sqlx::query_as("select tenant_id, size, root from audit.unsigned($1, $2)");
    Ok(grown.bind(after).bind(most).fetch_all(tx.conn()).await?)
}

/// Keeps their checkpoints, each signed by the key of that id; those that are no larger than one
/// that is there are passed by.
pub(super) async fn keep_checkpoints(
    tx: &mut Tx<Sequencer>,
    signed: Vec<(Unsigned, String)>,
    key: &str,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let (mut logs, mut sizes) = (Vec::new(), Vec::new());
    let (mut roots, mut notes) = (Vec::new(), Vec::new());
    for (log, note) in signed {
        logs.push(log.tenant_id);
        sizes.push(log.size);
        roots.push(log.root);
        notes.push(note);
    }
    sqlx::query(
        "select audit.keep_checkpoint(c.log, c.size, c.root, c.note, $5, $6)
         from unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::text[])
           as c (log, size, root, note)",
    )
    .bind(logs)
    .bind(sizes)
    .bind(roots)
    .bind(notes)
    .bind(key)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The last checkpoints of logs that are not anchored yet, in the order of their ids.
pub(super) async fn unanchored(
    tx: &mut Tx<Sequencer>,
    after: Uuid,
    most: i32,
) -> Result<Vec<Unanchored>, StoreError> {
    let waiting =
        sqlx::query_as("select tenant_id, size, note, made_at from audit.unanchored($1, $2)");
    Ok(waiting.bind(after).bind(most).fetch_all(tx.conn()).await?)
}

/// Notes that they are.
pub(super) async fn mark_anchored(
    tx: &mut Tx<Sequencer>,
    checkpoints: &[Unanchored],
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let logs: Vec<TenantId> = checkpoints.iter().map(|c| c.tenant_id).collect();
    let sizes: Vec<i64> = checkpoints.iter().map(|c| c.size).collect();
    sqlx::query("select audit.mark_anchored($1, $2, $3)")
        .bind(logs)
        .bind(sizes)
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The key that signs.
#[derive(sqlx::FromRow)]
pub(super) struct CurrentKey {
    pub(super) key_id: String,
    pub(super) name: String,
    pub(super) private_sealed: Vec<u8>,
    pub(super) current_since: OffsetDateTime,
}

/// It, if there is one.
pub(super) async fn current_key(tx: &mut Tx<Sequencer>) -> Result<Option<CurrentKey>, StoreError> {
    let key = sqlx::query_as(
        "select key_id, name, private_sealed, current_since from audit.log_key
         where retired_at is null",
    );
    Ok(key.fetch_optional(tx.conn()).await?)
}

/// A fresh key, to be stored.
pub(super) struct NewKey<'a> {
    pub(super) id: &'a str,
    pub(super) vkey: &'a Vkey,
    pub(super) private_sealed: &'a [u8],
}

/// Stores it; `false` if another one is current.
pub(super) async fn insert_key(
    tx: &mut Tx<Sequencer>,
    key: &NewKey<'_>,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into audit.log_key (key_id, name, public_key, private_sealed, current_since)
         values ($1, $2, $3, $4, $5)
         on conflict do nothing",
    )
    .bind(key.id)
    .bind(key.vkey.name())
    .bind(key.vkey.public().as_slice())
    .bind(key.private_sealed)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// It signs no more, and its private half is erased; `false` if it did not sign.
pub(super) async fn retire_key(
    tx: &mut Tx<Sequencer>,
    id: &str,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update audit.log_key set private_sealed = null, retired_at = $2
         where key_id = $1 and retired_at is null",
    )
    .bind(id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

#[derive(sqlx::FromRow)]
struct PublicRow {
    name: String,
    public_key: Vec<u8>,
    current_since: OffsetDateTime,
    retired_at: Option<OffsetDateTime>,
}

/// The public halves of all keys there were, the oldest first.
pub(super) async fn published_keys(tx: &mut Tx<Identity>) -> Result<Vec<PublishedKey>, StoreError> {
    let rows: Vec<PublicRow> = sqlx::query_as(
        "select name, public_key, current_since, retired_at from audit.log_key
         order by current_since, key_id",
    )
    .fetch_all(tx.conn())
    .await?;
    let published = rows.into_iter().map(|row| {
        let public = row.public_key.as_slice().try_into().ok();
        let vkey = public.and_then(|public| Vkey::new(&row.name, public));
        Some(PublishedKey {
            vkey: vkey?,
            from: row.current_since,
            until: row.retired_at,
        })
    });
    published.collect::<Option<_>>().ok_or(StoreError::Corrupt {
        table: "audit.log_key",
        what: "a public key that is none",
    })
}

/// A log's newest checkpoint: its size and its note.
pub(super) async fn newest_checkpoint<R: ReadsLogs>(
    tx: &mut Tx<R>,
    tenant: TenantId,
) -> Result<Option<(u64, String)>, StoreError> {
    let kept: Option<(i64, String)> = sqlx::query_as(
        "select size, note from audit.checkpoint
         where tenant_id = $1
         order by size desc limit 1",
    )
    .bind(tenant)
    .fetch_optional(tx.conn())
    .await?;
    Ok(kept.map(|(size, note)| (size.unsigned_abs(), note)))
}

/// How many entries a log has.
pub(crate) async fn size<R: ReadsLogs>(
    tx: &mut Tx<R>,
    tenant: TenantId,
) -> Result<i64, StoreError> {
    let size: Option<i64> = sqlx::query_scalar("select size from audit.log where tenant_id = $1")
        .bind(tenant)
        .fetch_optional(tx.conn())
        .await?;
    Ok(size.unwrap_or_default())
}

/// The lines after an index, with theirs.
pub(crate) async fn lines_after<R: ReadsLogs>(
    tx: &mut Tx<R>,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<(i64, String)>, StoreError> {
    let lines = sqlx::query_as(
        "select leaf_index, line from audit.entry
         where tenant_id = $1 and leaf_index > $2
         order by leaf_index limit $3",
    );
    let lines = lines.bind(tenant).bind(after).bind(most);
    Ok(lines.fetch_all(tx.conn()).await?)
}

/// The hashes of some leaves.
pub(super) async fn leaves<R: ReadsLogs>(
    tx: &mut Tx<R>,
    tenant: TenantId,
    which: &Range<u64>,
) -> Result<Vec<TreeHash>, StoreError> {
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar(
        "select leaf_hash from audit.leaf
         where tenant_id = $1 and leaf_index >= $2 and leaf_index < $3
         order by leaf_index",
    )
    .bind(tenant)
    .bind(as_stored(which.start))
    .bind(as_stored(which.end))
    .fetch_all(tx.conn())
    .await?;
    hashes.iter().map(|hash| tree_hash(hash)).collect()
}

/// The hashes of these full subtrees.
pub(super) async fn subtrees<R: ReadsLogs>(
    tx: &mut Tx<R>,
    tenant: TenantId,
    which: impl Iterator<Item = Subtree>,
) -> Result<HashMap<Subtree, TreeHash>, StoreError> {
    let which: Vec<Subtree> = which.collect();
    let leaves = which.iter().map(|subtree| subtree.leaves());
    let (starts, stops): (Vec<i64>, Vec<i64>) = leaves
        .map(|leaves| (as_stored(leaves.start), as_stored(leaves.end)))
        .unzip();
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar(
        "select audit.subtree($1, s.start, s.stop)
         from unnest($2::bigint[], $3::bigint[]) with ordinality as s (start, stop, place)
         order by s.place",
    )
    .bind(tenant)
    .bind(starts)
    .bind(stops)
    .fetch_all(tx.conn())
    .await?;
    let pair = |(subtree, hash): (Subtree, Vec<u8>)| Ok((subtree, tree_hash(&hash)?));
    which.into_iter().zip(hashes).map(pair).collect()
}

/// Some entries, to be exported.
pub(super) async fn lines<R: ReadsLogs>(
    tx: &mut Tx<R>,
    tenant: TenantId,
    which: &Range<u64>,
) -> Result<Vec<Entry>, StoreError> {
    let lines: Vec<(i64, String)> = sqlx::query_as(
        "select leaf_index, line from audit.entry
         where tenant_id = $1 and leaf_index >= $2 and leaf_index < $3
         order by leaf_index",
    )
    .bind(tenant)
    .bind(as_stored(which.start))
    .bind(as_stored(which.end))
    .fetch_all(tx.conn())
    .await?;
    let entry = |(index, line): (i64, String)| Entry {
        index: index.unsigned_abs(),
        line,
        disclosed: Vec::new(),
    };
    Ok(lines.into_iter().map(entry).collect())
}

/// Adds to entries, which follow each other, what their salted values were.
pub(super) async fn disclose<R: ReadsLogs>(
    tx: &mut Tx<R>,
    tenant: TenantId,
    entries: &mut [Entry],
) -> Result<(), StoreError> {
    let Some(first) = entries.first().map(|entry| entry.index) else {
        return Ok(());
    };
    let shown: Vec<(i64, String, Vec<u8>, String)> = sqlx::query_as(
        "select leaf_index, name, salt, value from audit.disclosure
         where tenant_id = $1 and leaf_index >= $2 and leaf_index < $3",
    )
    .bind(tenant)
    .bind(as_stored(first))
    .bind(as_stored(first + entries.len() as u64))
    .fetch_all(tx.conn())
    .await?;
    for (index, field, salt, value) in shown {
        let place = usize::try_from(index.unsigned_abs() - first).ok();
        let entry = place.and_then(|place| entries.get_mut(place));
        let salt = salt.as_slice().try_into().ok();
        let (Some(entry), Some(salt)) = (entry, salt) else {
            return Err(corrupt("audit.disclosure", "a value of no entry"));
        };
        entry.disclosed.push(Disclosure { field, salt, value });
    }
    Ok(())
}

/// Stores a hold.
pub(super) async fn place_hold(
    tx: &mut Tx<Platform>,
    (tenant, id): (TenantId, Uuid),
    matter: Option<&str>,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into audit.hold (tenant_id, hold_id, matter, placed_at) values ($1, $2, $3, $4)",
    )
    .bind(tenant)
    .bind(id)
    .bind(matter)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lifts one that holds; `false`: none does.
pub(super) async fn lift_hold(
    tx: &mut Tx<Platform>,
    tenant: TenantId,
    id: Uuid,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update audit.hold set lifted_at = $3
         where tenant_id = $1 and hold_id = $2 and lifted_at is null",
    )
    .bind(tenant)
    .bind(id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A tenant's holds, or all, the oldest first.
pub(super) async fn holds(
    tx: &mut Tx<Platform>,
    tenant: Option<TenantId>,
) -> Result<Vec<Hold>, StoreError> {
    let holds = sqlx::query_as(
        "select hold_id, tenant_id, matter, placed_at, lifted_at from audit.hold
         where tenant_id = coalesce($1, tenant_id)
         order by placed_at, hold_id",
    );
    Ok(holds.bind(tenant).fetch_all(tx.conn()).await?)
}

/// The first and the last entry of each log, or of one, that were recorded before `until`, as the
/// range that holds them all.
pub(super) async fn older_than(
    tx: &mut Tx<Platform>,
    tenant: Option<TenantId>,
    until: OffsetDateTime,
) -> Result<Vec<(TenantId, Range<u64>)>, StoreError> {
    let older: Vec<(TenantId, i64, i64)> = sqlx::query_as(
        "select tenant_id, from_index, to_index from audit.older_than($2)
         where tenant_id = coalesce($1, tenant_id)
         order by tenant_id",
    )
    .bind(tenant)
    .bind(until)
    .fetch_all(tx.conn())
    .await?;
    let range =
        |(tenant, from, to): (TenantId, i64, i64)| (tenant, from.unsigned_abs()..to.unsigned_abs());
    Ok(older.into_iter().map(range).collect())
}

/// Says that entries stand in a file; `false` if its hashes are not theirs.
pub(super) async fn record_archive(
    tx: &mut Tx<Platform>,
    tenant: TenantId,
    entries: &Range<u64>,
    digests: &Digests,
) -> Result<bool, StoreError> {
    let recorded: Option<bool> =
        sqlx::query_scalar("select audit.record_archive($1, $2, $3, $4, $5)")
            .bind(tenant)
            .bind(as_stored(entries.start))
            .bind(as_stored(entries.end))
            .bind(digests.leaves.as_bytes().as_slice())
            .bind(digests.file.as_bytes().as_slice())
            .fetch_one(tx.conn())
            .await?;
    Ok(recorded.unwrap_or_default())
}

/// Drops whole months; says which, or what keeps them. The transaction is over after a refusal.
pub(super) async fn expire_before(
    tx: &mut Tx<Platform>,
    month: Date,
) -> Result<Result<Vec<String>, Kept>, StoreError> {
    let dropped = sqlx::query_scalar("select audit.expire_before($1)")
        .bind(month)
        .fetch_one(tx.conn())
        .await;
    match dropped {
        Ok(dropped) => Ok(Ok(dropped)),
        Err(sqlx::Error::Database(refusal)) => match Kept::of_refusal(refusal.message()) {
            Some(kept) => Ok(Err(kept)),
            None => Err(sqlx::Error::Database(refusal).into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn as_stored(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn tree_hash(hash: &[u8]) -> Result<TreeHash, StoreError> {
    TreeHash::try_from(hash).map_err(|_| corrupt("audit.leaf", "a hash of another length"))
}

const fn corrupt(table: &'static str, what: &'static str) -> StoreError {
    StoreError::Corrupt { table, what }
}
