//! `outbox.message`, as the post sees it: under `Job::DeliverMail`.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::outbox::MailKind;
use crate::db::{Identity, StoreError, Tx};
use crate::ids::TenantId;

/// A message with its envelope.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Envelope {
    pub(super) tenant_id: TenantId,
    pub(super) message_id: Uuid,
    pub(super) login: String,
    kind: String,
    parameters: serde_json::Value,
    pub(super) attempts: i16,
    pub(super) created_at: OffsetDateTime,
}

impl Envelope {
    /// What it says.
    pub(super) fn mail(&self) -> Result<MailKind, StoreError> {
        MailKind::read(&self.kind, &self.parameters)
    }
}

/// Takes messages that are due and that nobody has, or had since before `abandoned_at`; `most` of
/// them, the oldest first.
pub(super) async fn take(
    tx: &mut Tx<Identity>,
    now: OffsetDateTime,
    abandoned_at: OffsetDateTime,
    most: i64,
) -> Result<Vec<Envelope>, StoreError> {
    let taken = sqlx::query_as(
        "with picked as materialized (
           select tenant_id, message_id
           from outbox.message
           where delivered_at is null and given_up_at is null
             and (due_at is null or due_at <= $1)
             and (taken_at is null or taken_at <= $2)
           order by created_at
           limit $3
           for update skip locked
         )
         update outbox.message m set taken_at = $1
         from picked p, identity.account a
         where m.tenant_id = p.tenant_id and m.message_id = p.message_id
           and a.account_id = m.account_id
         returning m.tenant_id, m.message_id, a.login, m.kind, m.parameters, m.attempts,
           m.created_at",
    )
    .bind(now)
    .bind(abandoned_at)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    Ok(taken)
}

/// Notes that a message was handed over; a link in it is forgotten unless `is_shown` later.
pub(super) async fn mark_delivered(
    tx: &mut Tx<Identity>,
    envelope: &Envelope,
    is_shown: bool,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update outbox.message set delivered_at = $3,
           parameters = case when $4 then parameters else parameters - 'sealed' end
         where tenant_id = $1 and message_id = $2 and delivered_at is null",
    )
    .bind(envelope.tenant_id)
    .bind(envelope.message_id)
    .bind(at)
    .bind(is_shown)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that a message could not be handed over: it is tried again at `due_at`.
pub(super) async fn mark_failed(
    tx: &mut Tx<Identity>,
    envelope: &Envelope,
    due_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update outbox.message set attempts = least(attempts + 1, 1000), due_at = $3,
           taken_at = null
         where tenant_id = $1 and message_id = $2 and delivered_at is null",
    )
    .bind(envelope.tenant_id)
    .bind(envelope.message_id)
    .bind(due_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that a message is not tried any more; a link in it is forgotten.
pub(super) async fn mark_given_up(
    tx: &mut Tx<Identity>,
    envelope: &Envelope,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update outbox.message set given_up_at = $3, parameters = parameters - 'sealed'
         where tenant_id = $1 and message_id = $2 and delivered_at is null",
    )
    .bind(envelope.tenant_id)
    .bind(envelope.message_id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many messages wait, and since when the oldest does.
pub(super) async fn waiting(
    tx: &mut Tx<Identity>,
) -> Result<(i64, Option<OffsetDateTime>), StoreError> {
    let waiting = sqlx::query_as(
        "select count(*), min(created_at)
         from outbox.message
         where delivered_at is null and given_up_at is null",
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(waiting)
}

/// Messages that were handed over, the newest first.
pub(super) async fn list_delivered(
    tx: &mut Tx<Identity>,
    most: i64,
) -> Result<Vec<Envelope>, StoreError> {
    let listed = sqlx::query_as(
        "select m.tenant_id, m.message_id, a.login, m.kind, m.parameters, m.attempts,
                m.created_at
         from outbox.message m
         join identity.account a on a.account_id = m.account_id
         where m.delivered_at is not null
         order by m.created_at desc, m.message_id
         limit $1",
    )
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    Ok(listed)
}
