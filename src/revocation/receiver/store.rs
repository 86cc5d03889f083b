//! `revocation.receiver`.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Delivery, Due, Progress, Status, Stream, Verification};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{ClientId, TenantId};
use crate::revocation::model::Subscriber;

#[derive(sqlx::FromRow)]
struct ReceiverRow {
    acknowledged_through: i64,
    acknowledged: Vec<i64>,
    stream_id: Option<Uuid>,
    status: String,
    status_reason: Option<String>,
    events_requested: Option<Vec<String>>,
    description: Option<String>,
    verification_id: Option<Uuid>,
    verification_state: Option<String>,
    push_endpoint: Option<String>,
    push_authorization_sealed: Option<Vec<u8>>,
}

impl TryFrom<ReceiverRow> for Progress {
    type Error = StoreError;

    fn try_from(row: ReceiverRow) -> Result<Self, StoreError> {
        let status = Status::parse(&row.status).ok_or(StoreError::Corrupt {
            table: "revocation.receiver",
            what: "status",
        })?;
        let delivery = match row.push_endpoint {
            Some(endpoint) => Delivery::Push {
                endpoint,
                authorization_sealed: row.push_authorization_sealed,
            },
            None => Delivery::Poll,
        };
        let stream = row.stream_id.map(|id| Stream {
            id,
            status,
            reason: row.status_reason,
            requested: row.events_requested,
            description: row.description,
            delivery,
        });
        let verification = row.stream_id.zip(row.verification_id);
        Ok(Self {
            through: row.acknowledged_through,
            beyond: row.acknowledged,
            stream,
            verification: verification.map(|(stream, id)| Verification {
                id,
                stream,
                state: row.verification_state,
            }),
        })
    }
}

/// How far a receiver is; holds its row, which is made if there is none.
///
/// - `from`: a new one is given what stands after this position
pub(super) async fn hold(
    tx: &mut Tx<Identity>,
    subscriber: &Subscriber,
    from: i64,
    at: OffsetDateTime,
) -> Result<Progress, StoreError> {
    let row: ReceiverRow = sqlx::query_as(
        "insert into revocation.receiver as r
           (tenant_id, client_id, acknowledged_through, polled_at)
         values ($1, $2, $3, $4)
         on conflict (tenant_id, client_id) do update set polled_at = excluded.polled_at
         returning r.acknowledged_through, r.acknowledged, r.stream_id, r.status,
           r.status_reason, r.events_requested, r.description, r.verification_id,
           r.verification_state, r.push_endpoint, r.push_authorization_sealed",
    )
    .bind(subscriber.tenant)
    .bind(&subscriber.client)
    .bind(from)
    .bind(at)
    .fetch_one(tx.conn())
    .await?;
    row.try_into()
}

/// Notes how far it is, and what waits to be given first.
pub(super) async fn mark_progress(
    tx: &mut Tx<Identity>,
    subscriber: &Subscriber,
    progress: &Progress,
) -> Result<(), StoreError> {
    sqlx::query(
        "update revocation.receiver
         set acknowledged_through = $3, acknowledged = $4, verification_id = $5,
             verification_state = $6
         where tenant_id = $1 and client_id = $2",
    )
    .bind(subscriber.tenant)
    .bind(&subscriber.client)
    .bind(progress.through)
    .bind(&progress.beyond)
    .bind(progress.verification.as_ref().map(|asked| asked.id))
    .bind(
        progress
            .verification
            .as_ref()
            .and_then(|asked| asked.state.as_deref()),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes what it asked for; `None`: it has no stream any more.
pub(super) async fn mark_stream(
    tx: &mut Tx<Identity>,
    subscriber: &Subscriber,
    stream: Option<&Stream>,
) -> Result<(), StoreError> {
    let status = stream.map_or(Status::Enabled, |stream| stream.status);
    let (endpoint, authorization) = match stream.map(|stream| &stream.delivery) {
        Some(Delivery::Push {
            endpoint,
            authorization_sealed,
        }) => (Some(endpoint), authorization_sealed.as_ref()),
        Some(Delivery::Poll) | None => (None, None),
    };
    sqlx::query(
        "update revocation.receiver
         set stream_id = $3, status = $4, status_reason = $5, events_requested = $6,
             description = $7, push_endpoint = $8, push_authorization_sealed = $9,
             push_failures = 0, push_after = null
         where tenant_id = $1 and client_id = $2",
    )
    .bind(subscriber.tenant)
    .bind(&subscriber.client)
    .bind(stream.map(|stream| stream.id))
    .bind(status.word())
    .bind(stream.and_then(|stream| stream.reason.as_deref()))
    .bind(stream.and_then(|stream| stream.requested.as_deref()))
    .bind(stream.and_then(|stream| stream.description.as_deref()))
    .bind(endpoint)
    .bind(authorization)
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct DueRow {
    tenant_id: TenantId,
    client_id: ClientId,
    push_endpoint: String,
    push_authorization_sealed: Option<Vec<u8>>,
    push_failures: i32,
    push_after: OffsetDateTime,
}

/// Takes the receivers that something waits for, for one server to tell until that instant.
pub(super) async fn claim_due(
    tx: &mut Tx<Identity>,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<Vec<Due>, StoreError> {
    let rows: Vec<DueRow> = sqlx::query_as(
        "update revocation.receiver as r set push_after = $2
         where r.push_endpoint is not null and r.stream_id is not null and r.status = 'enabled'
           and (r.push_after is null or r.push_after <= $1)
           and (r.verification_id is not null or r.acknowledged_through <
             (select h.position from revocation.head h where h.head = 1))
         returning r.tenant_id, r.client_id, r.push_endpoint, r.push_authorization_sealed,
           r.push_failures, r.push_after",
    )
    .bind(now)
    .bind(until)
    .fetch_all(tx.conn())
    .await?;
    let due = |row: DueRow| Due {
        tenant: row.tenant_id,
        client: row.client_id,
        endpoint: row.push_endpoint,
        authorization_sealed: row.push_authorization_sealed,
        failures: row.push_failures,
        until: row.push_after,
    };
    Ok(rows.into_iter().map(due).collect())
}

/// Gives a receiver back, unless it was taken by another or changed meanwhile.
///
/// - `again_at`: not before then; `None`: as soon as something waits
pub(super) async fn release(
    tx: &mut Tx<Identity>,
    due: &Due,
    failures: i32,
    again_at: Option<OffsetDateTime>,
) -> Result<(), StoreError> {
    sqlx::query(
        "update revocation.receiver set push_failures = $4, push_after = $5
         where tenant_id = $1 and client_id = $2 and push_after = $3",
    )
    .bind(due.tenant)
    .bind(&due.client)
    .bind(due.until)
    .bind(failures)
    .bind(again_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}
