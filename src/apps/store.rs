//! `apps.session`, `apps.login` and `apps.credential`, each row seen only by its own claim.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::model::Told;
use crate::db::{Apps, StoreError, Tx};
use crate::pages::EndReason;

#[derive(sqlx::FromRow)]
pub(super) struct SessionRow {
    pub(super) app: String,
    pub(super) secret_digest: Vec<u8>,
    pub(super) sealed: Vec<u8>,
    pub(super) version: i32,
    pub(super) leased_until: Option<OffsetDateTime>,
    told_at: OffsetDateTime,
    idle_ends_at: OffsetDateTime,
    session_ends_at: OffsetDateTime,
    idle_limit_seconds: i32,
    pub(super) active_at: OffsetDateTime,
    pub(super) end_reason: Option<String>,
    pub(super) draft: Option<Vec<u8>>,
}

impl SessionRow {
    pub(super) fn told(&self) -> Told {
        Told {
            told_at: self.told_at,
            idle_ends_at: self.idle_ends_at,
            session_ends_at: self.session_ends_at,
            idle_limit: Duration::seconds(self.idle_limit_seconds.into()),
        }
    }
}

pub(super) struct NewSession<'a> {
    pub(super) id: Uuid,
    pub(super) app: &'static str,
    pub(super) secret_digest: &'a [u8],
    pub(super) sealed: &'a [u8],
    pub(super) told: &'a Told,
}

pub(super) async fn insert_session(
    tx: &mut Tx<Apps>,
    new: &NewSession<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into apps.session
           (session_id, app, secret_digest, sealed, told_at, idle_ends_at, session_ends_at,
            idle_limit_seconds, active_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $5, $5)",
    )
    .bind(new.id)
    .bind(new.app)
    .bind(new.secret_digest)
    .bind(new.sealed)
    .bind(new.told.told_at)
    .bind(new.told.idle_ends_at)
    .bind(new.told.session_ends_at)
    .bind(seconds(new.told.idle_limit))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn find_session(
    tx: &mut Tx<Apps>,
    id: Uuid,
) -> Result<Option<SessionRow>, StoreError> {
    let row = sqlx::query_as(
        "select app, secret_digest, sealed, version, leased_until, told_at, idle_ends_at,
                session_ends_at, idle_limit_seconds, active_at, end_reason, draft
         from apps.session
         where session_id = $1",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// Notes a person's act; never backward.
pub(super) async fn mark_active(
    tx: &mut Tx<Apps>,
    id: Uuid,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update apps.session set active_at = greatest(active_at, $2)
         where session_id = $1 and ended_at is null",
    )
    .bind(id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes the right to refresh version `version`; false if another has it or was quicker.
pub(super) async fn take_lease(
    tx: &mut Tx<Apps>,
    id: Uuid,
    version: i32,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update apps.session set leased_until = $4
         where session_id = $1 and version = $2 and ended_at is null
           and (leased_until is null or leased_until <= $3)",
    )
    .bind(id)
    .bind(version)
    .bind(now)
    .bind(until)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the right back without news.
pub(super) async fn release_lease(
    tx: &mut Tx<Apps>,
    id: Uuid,
    version: i32,
) -> Result<(), StoreError> {
    sqlx::query(
        "update apps.session set leased_until = null where session_id = $1 and version = $2",
    )
    .bind(id)
    .bind(version)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps what a refresh gave, and gives the right back; false if the row went on without us.
pub(super) async fn keep_refreshed(
    tx: &mut Tx<Apps>,
    id: Uuid,
    version: i32,
    sealed: &[u8],
    told: &Told,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update apps.session
         set sealed = $3, told_at = $4, idle_ends_at = $5, session_ends_at = $6,
             idle_limit_seconds = $7, version = version + 1, leased_until = null
         where session_id = $1 and version = $2 and ended_at is null",
    )
    .bind(id)
    .bind(version)
    .bind(sealed)
    .bind(told.told_at)
    .bind(told.idle_ends_at)
    .bind(told.session_ends_at)
    .bind(seconds(told.idle_limit))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends it, once; the tokens are forgotten.
pub(super) async fn mark_ended(
    tx: &mut Tx<Apps>,
    id: Uuid,
    reason: EndReason,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update apps.session set ended_at = $3, end_reason = $2, sealed = ''::bytea, draft = null
         where session_id = $1 and ended_at is null",
    )
    .bind(id)
    .bind(reason.word())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps what was typed, or forgets it.
pub(super) async fn put_draft(
    tx: &mut Tx<Apps>,
    id: Uuid,
    draft: Option<&[u8]>,
) -> Result<(), StoreError> {
    sqlx::query("update apps.session set draft = $2 where session_id = $1 and ended_at is null")
        .bind(id)
        .bind(draft)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn insert_login(
    tx: &mut Tx<Apps>,
    id: Uuid,
    state_digest: &[u8],
    sealed: &[u8],
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into apps.login (login_id, state_digest, sealed, created_at, expires_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(state_digest)
    .bind(sealed)
    .bind(created_at)
    .bind(expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A live one's digest and content.
pub(super) async fn find_login(
    tx: &mut Tx<Apps>,
    id: Uuid,
    now: OffsetDateTime,
) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
    let row = sqlx::query_as(
        "select state_digest, sealed
         from apps.login
         where login_id = $1 and spent_at is null and expires_at > $2",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// Spends it; false if another was quicker.
pub(super) async fn mark_login_spent(
    tx: &mut Tx<Apps>,
    id: Uuid,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update apps.login set spent_at = $2
         where login_id = $1 and spent_at is null and expires_at > $2",
    )
    .bind(id)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn find_credential(
    tx: &mut Tx<Apps>,
    id: Uuid,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sealed = sqlx::query_scalar(
        "select sealed
         from apps.credential
         where credential_id = $1",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(sealed)
}

pub(super) async fn keep_credential(
    tx: &mut Tx<Apps>,
    id: Uuid,
    sealed: &[u8],
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into apps.credential (credential_id, sealed, created_at)
         values ($1, $2, $3)
         on conflict (credential_id) do update set sealed = excluded.sealed",
    )
    .bind(id)
    .bind(sealed)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn seconds(limit: Duration) -> i32 {
    i32::try_from(limit.whole_seconds())
        .unwrap_or(i32::MAX)
        .clamp(1, 86_400)
}
