//! The schema `revocation`.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Event, Kind, Signed, Standing, Subscriber, Verifier};
use super::policy::Kept;
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{ClientId, SubjectId, TenantId, TenantSessionId};

#[derive(sqlx::FromRow)]
struct EventRow {
    position: i64,
    event_id: Uuid,
    tenant_id: TenantId,
    kind: String,
    subject_id: Option<SubjectId>,
    sid: Option<TenantSessionId>,
    client_id: Option<ClientId>,
    audience: Option<String>,
    named: Option<Vec<String>>,
    reason: String,
    occurred_at: OffsetDateTime,
    issued_until: OffsetDateTime,
}

impl TryFrom<EventRow> for Event {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        let kind = Kind::parse(&row.kind).ok_or(StoreError::Corrupt {
            table: "revocation.published",
            what: "kind",
        })?;
        Ok(Self {
            position: row.position,
            id: row.event_id,
            tenant: row.tenant_id,
            kind,
            subject: row.subject_id,
            sid: row.sid,
            client: row.client_id,
            audience: row.audience,
            named: row.named.unwrap_or_default(),
            reason: row.reason,
            occurred_at: row.occurred_at,
            issued_until: row.issued_until,
            signed: Signed::default(),
        })
    }
}

/// Gives positions to what was committed, `most` at most; the last position, and how many were
/// given.
pub(super) async fn sequence(
    tx: &mut Tx<Identity>,
    at: OffsetDateTime,
    most: i32,
) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query_as("select last_position, moved from revocation.sequence($1, $2)")
        .bind(at)
        .bind(most)
        .fetch_one(tx.conn())
        .await?;
    Ok(row)
}

/// The events after a position, in order.
pub(in crate::revocation) async fn list_after(
    tx: &mut Tx<Identity>,
    position: i64,
    most: i64,
) -> Result<Vec<Event>, StoreError> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "select position, event_id, tenant_id, kind, subject_id, sid, client_id, audience, named,
           reason, occurred_at, issued_until
         from revocation.published
         where position > $1
         order by position
         limit $2",
    )
    .bind(position)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Event::try_from).collect()
}

/// The last position before which nothing that was published since then stands.
pub(super) async fn position_before(
    tx: &mut Tx<Identity>,
    since: OffsetDateTime,
) -> Result<i64, StoreError> {
    let before: i64 = sqlx::query_scalar(
        "select coalesce(
           (select min(p.position) - 1 from revocation.published p where p.published_at >= $1),
           (select h.position from revocation.head h where h.head = 1))",
    )
    .bind(since)
    .fetch_one(tx.conn())
    .await?;
    Ok(before)
}

/// The head, and what stands next after a cursor.
pub(super) async fn kept(tx: &mut Tx<Identity>, cursor: i64) -> Result<Kept, StoreError> {
    let head = sqlx::query_scalar("select position from revocation.head where head = 1")
        .fetch_one(tx.conn())
        .await?;
    let next = sqlx::query_as(
        "select position, published_at from revocation.published
         where position > $1 and position <= $2
         order by position
         limit 1",
    )
    .bind(cursor)
    .bind(head)
    .fetch_optional(tx.conn())
    .await?;
    Ok(Kept { head, next })
}

/// Writes down what a verifier says of itself, in the place of what it said before.
pub(super) async fn upsert_standing(
    tx: &mut Tx<Identity>,
    subscriber: &Subscriber,
    standing: &Standing,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into revocation.standing (tenant_id, client_id, instance, version,
           keys_age_seconds, position, lag_milliseconds, reported_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (tenant_id, client_id, instance) do update set
           version = excluded.version, keys_age_seconds = excluded.keys_age_seconds,
           position = excluded.position, lag_milliseconds = excluded.lag_milliseconds,
           reported_at = excluded.reported_at",
    )
    .bind(subscriber.tenant)
    .bind(&subscriber.client)
    .bind(&standing.instance)
    .bind(&standing.version)
    .bind(standing.keys_age_seconds)
    .bind(standing.position)
    .bind(standing.lag_milliseconds)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many of a client's processes are known, this one left out.
pub(super) async fn count_other_standings(
    tx: &mut Tx<Identity>,
    subscriber: &Subscriber,
    instance: &str,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar(
        "select count(*) from revocation.standing
         where tenant_id = $1 and client_id = $2 and instance <> $3",
    )
    .bind(subscriber.tenant)
    .bind(&subscriber.client)
    .bind(instance)
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

#[derive(sqlx::FromRow)]
struct StandingRow {
    tenant_id: TenantId,
    client_id: ClientId,
    instance: String,
    version: String,
    keys_age_seconds: i64,
    position: Option<i64>,
    lag_milliseconds: Option<i64>,
    reported_at: OffsetDateTime,
}

/// Every verifier that said something of itself lately.
pub(super) async fn list_standings(tx: &mut Tx<Identity>) -> Result<Vec<Verifier>, StoreError> {
    let rows: Vec<StandingRow> = sqlx::query_as(
        "select tenant_id, client_id, instance, version, keys_age_seconds, position,
           lag_milliseconds, reported_at
         from revocation.standing
         order by tenant_id, client_id, instance",
    )
    .fetch_all(tx.conn())
    .await?;
    let verifier = |row: StandingRow| Verifier {
        tenant: row.tenant_id,
        client: row.client_id,
        standing: Standing {
            instance: row.instance,
            version: row.version,
            keys_age_seconds: row.keys_age_seconds,
            position: row.position,
            lag_milliseconds: row.lag_milliseconds,
        },
        reported_at: row.reported_at,
    };
    Ok(rows.into_iter().map(verifier).collect())
}
