//! The statements of sinks.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Address, Form, NewSink, Sink, SinkId};
use super::standing::Counted;
use crate::db::{Platform, StoreError, Tx};
use crate::ids::TenantId;

/// Stores a sink, with the first entry that it is sent.
pub(super) async fn insert(
    tx: &mut Tx<Platform>,
    (id, new): (SinkId, &NewSink),
    secret_sealed: Option<Vec<u8>>,
    from: i64,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into audit.sink (tenant_id, sink_id, kind, form, address, authority,
           secret_sealed, next_index, created_at, due_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
    )
    .bind(new.tenant)
    .bind(id)
    .bind(new.address.kind().as_str())
    .bind(new.form.as_str())
    .bind(new.address.to_string())
    .bind(&new.authority)
    .bind(secret_sealed)
    .bind(from)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes one; `false` if the tenant has none of that id.
pub(super) async fn delete(
    tx: &mut Tx<Platform>,
    tenant: TenantId,
    id: SinkId,
) -> Result<bool, StoreError> {
    let done = sqlx::query("delete from audit.sink where tenant_id = $1 and sink_id = $2")
        .bind(tenant)
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: TenantId,
    sink_id: Uuid,
    form: String,
    address: String,
    next_index: i64,
    behind: i64,
    failures: i32,
    failure: Option<String>,
    failing_since: Option<OffsetDateTime>,
    sent_at: Option<OffsetDateTime>,
}

impl Row {
    fn read(self) -> Result<Sink, StoreError> {
        Ok(Sink {
            id: self.sink_id,
            tenant: self.tenant_id,
            address: address(&self.address)?,
            form: form(&self.form)?,
            next_index: self.next_index,
            behind: self.behind,
            failures: self.failures,
            failure: self.failure,
            failing_since: self.failing_since,
            sent_at: self.sent_at,
        })
    }
}

/// A tenant's sinks; without one, all, in the order of their tenants.
pub(super) async fn list(
    tx: &mut Tx<Platform>,
    tenant: Option<TenantId>,
) -> Result<Vec<Sink>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select s.tenant_id, s.sink_id, s.form, s.address, s.next_index, l.behind, s.failures,
                s.failure, s.failing_since, s.sent_at
         from audit.sink s
         join audit.sinks_lag(false) l on l.tenant_id = s.tenant_id and l.sink_id = s.sink_id
         where s.tenant_id = coalesce($1, s.tenant_id)
         order by s.tenant_id, s.created_at, s.sink_id",
    )
    .bind(tenant)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// What a sink is sent with.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) tenant: TenantId,
    pub(super) id: SinkId,
    pub(super) address: Address,
    pub(super) form: Form,
    pub(super) authority: Option<String>,
    pub(super) secret_sealed: Option<Vec<u8>>,
    pub(super) next_index: i64,
    pub(super) failures: i32,
}

#[derive(sqlx::FromRow)]
struct WayRow {
    tenant_id: TenantId,
    sink_id: Uuid,
    form: String,
    address: String,
    authority: Option<String>,
    secret_sealed: Option<Vec<u8>>,
    next_index: i64,
    failures: i32,
}

impl WayRow {
    fn read(self) -> Result<Way, StoreError> {
        Ok(Way {
            tenant: self.tenant_id,
            id: self.sink_id,
            address: address(&self.address)?,
            form: form(&self.form)?,
            authority: self.authority,
            secret_sealed: self.secret_sealed,
            next_index: self.next_index,
            failures: self.failures,
        })
    }
}

/// One sink.
pub(super) async fn find(
    tx: &mut Tx<Platform>,
    tenant: TenantId,
    id: SinkId,
) -> Result<Option<Way>, StoreError> {
    let row: Option<WayRow> = sqlx::query_as(
        "select tenant_id, sink_id, form, address, authority, secret_sealed, next_index, failures
         from audit.sink where tenant_id = $1 and sink_id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    row.map(WayRow::read).transpose()
}

/// Takes sinks that are due and lack something, until `until`, for whoever has this mark: first
/// those that were longest without a turn. What another one has is passed by.
pub(super) async fn take(
    tx: &mut Tx<Platform>,
    mark: Uuid,
    (now, until): (OffsetDateTime, OffsetDateTime),
    most: i64,
) -> Result<Vec<Way>, StoreError> {
    let rows: Vec<WayRow> = sqlx::query_as(
        "update audit.sink s set taken_by = $1, taken_until = $3, due_at = $2
         from (
           select d.tenant_id, d.sink_id
           from audit.sink d
           join audit.sinks_lag(false) l on l.tenant_id = d.tenant_id and l.sink_id = d.sink_id
           where d.due_at <= $2 and coalesce(d.taken_until <= $2, true) and l.behind > 0
           order by d.due_at limit $4
           for update of d skip locked
         ) due
         where s.tenant_id = due.tenant_id and s.sink_id = due.sink_id
         returning s.tenant_id, s.sink_id, s.form, s.address, s.authority, s.secret_sealed,
           s.next_index, s.failures",
    )
    .bind(mark)
    .bind(now)
    .bind(until)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(WayRow::read).collect()
}

/// The receiver has what was sent, up to before `next`: the cursor moves, once. `false`: it is
/// another's by now, or was removed.
pub(super) async fn advance(
    tx: &mut Tx<Platform>,
    way: &Way,
    mark: Uuid,
    next: i64,
    (now, until): (OffsetDateTime, OffsetDateTime),
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update audit.sink
         set next_index = $5, sent_at = $6, taken_until = $7, failures = 0, failure = null,
           failing_since = null
         where tenant_id = $1 and sink_id = $2 and taken_by = $3 and next_index = $4",
    )
    .bind(way.tenant)
    .bind(way.id)
    .bind(mark)
    .bind(way.next_index)
    .bind(next)
    .bind(now)
    .bind(until)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets go of one that has all there was.
pub(super) async fn release(
    tx: &mut Tx<Platform>,
    way: &Way,
    mark: Uuid,
) -> Result<(), StoreError> {
    sqlx::query(
        "update audit.sink set taken_by = null, taken_until = null
         where tenant_id = $1 and sink_id = $2 and taken_by = $3",
    )
    .bind(way.tenant)
    .bind(way.id)
    .bind(mark)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets go of one that failed, until it is tried again.
pub(super) async fn release_failed(
    tx: &mut Tx<Platform>,
    way: &Way,
    mark: Uuid,
    failure: &str,
    (now, due_at): (OffsetDateTime, OffsetDateTime),
) -> Result<(), StoreError> {
    sqlx::query(
        "update audit.sink
         set taken_by = null, taken_until = null, due_at = $6, failures = failures + 1,
           failure = $4, failing_since = coalesce(failing_since, $5)
         where tenant_id = $1 and sink_id = $2 and taken_by = $3",
    )
    .bind(way.tenant)
    .bind(way.id)
    .bind(mark)
    .bind(failure)
    .bind(now)
    .bind(due_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct CountedRow {
    well: i64,
    failing: i64,
    behind: i64,
    oldest: Option<OffsetDateTime>,
}

/// How all of them stand.
pub(super) async fn count(tx: &mut Tx<Platform>) -> Result<Counted, StoreError> {
    let row: CountedRow = sqlx::query_as(
        "select count(*) filter (where s.failures = 0) as well,
                count(*) filter (where s.failures > 0) as failing,
                coalesce(max(l.behind), 0) as behind,
                min(l.oldest) as oldest
         from audit.sink s
         join audit.sinks_lag(true) l on l.tenant_id = s.tenant_id and l.sink_id = s.sink_id",
    )
    .fetch_one(tx.conn())
    .await?;
    let CountedRow {
        well,
        failing,
        behind,
        oldest,
    } = row;
    Ok(Counted {
        well,
        failing,
        behind,
        oldest,
    })
}

fn address(text: &str) -> Result<Address, StoreError> {
    Address::parse(text).map_err(|_| corrupt("an address that is none"))
}

fn form(text: &str) -> Result<Form, StoreError> {
    Form::parse(text).ok_or_else(|| corrupt("words that nobody knows"))
}

const fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt {
        table: "audit.sink",
        what,
    }
}
