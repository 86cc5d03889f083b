//! `revocation.receiver`.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Progress, Status, Stream, Verification};
use crate::db::{Identity, StoreError, Tx};
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
}

impl TryFrom<ReceiverRow> for Progress {
    type Error = StoreError;

    fn try_from(row: ReceiverRow) -> Result<Self, StoreError> {
        let status = Status::parse(&row.status).ok_or(StoreError::Corrupt {
            table: "revocation.receiver",
            what: "status",
        })?;
        let stream = row.stream_id.map(|id| Stream {
            id,
            status,
            reason: row.status_reason,
            requested: row.events_requested,
            description: row.description,
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
           r.verification_state",
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
    sqlx::query(
        "update revocation.receiver
         set stream_id = $3, status = $4, status_reason = $5, events_requested = $6,
             description = $7
         where tenant_id = $1 and client_id = $2",
    )
    .bind(subscriber.tenant)
    .bind(&subscriber.client)
    .bind(stream.map(|stream| stream.id))
    .bind(status.word())
    .bind(stream.and_then(|stream| stream.reason.as_deref()))
    .bind(stream.and_then(|stream| stream.requested.as_deref()))
    .bind(stream.and_then(|stream| stream.description.as_deref()))
    .execute(tx.conn())
    .await?;
    Ok(())
}
