//! `identity.session`, `identity.tenant_session`, and the lattice of limits.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::model::{EndReason, Limits, Session, Silence, TenantSession};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{AccountId, SessionId, SubjectId, TenantId, TenantSessionId};

#[derive(sqlx::FromRow)]
struct SessionRow {
    session_id: SessionId,
    account_id: AccountId,
    password_epoch: i32,
    account_epoch: i32,
    account_status: String,
    amr: Vec<String>,
    authenticated_at: OffsetDateTime,
    proved_at: OffsetDateTime,
    factor_proved_at: Option<OffsetDateTime>,
    graced_at: Option<OffsetDateTime>,
    active_at: OffsetDateTime,
    silences: sqlx::types::Json<Vec<Silence>>,
    device_label: String,
    ended_at: Option<OffsetDateTime>,
}

/// A session with what decides whether it still stands.
#[derive(Debug)]
pub(crate) struct StoredSession {
    pub(crate) session: Session,
    /// Not ended, of an active account, of the account's present password epoch.
    pub(crate) stands: bool,
    pub(crate) is_ended: bool,
    pub(crate) account_is_active: bool,
    pub(crate) account_epoch: i32,
}

impl From<SessionRow> for StoredSession {
    fn from(row: SessionRow) -> Self {
        Self {
            stands: row.ended_at.is_none()
                && row.account_status == "active"
                && row.password_epoch == row.account_epoch,
            is_ended: row.ended_at.is_some(),
            account_is_active: row.account_status == "active",
            account_epoch: row.account_epoch,
            session: Session {
                id: row.session_id,
                account: row.account_id,
                password_epoch: row.password_epoch,
                amr: row.amr,
                authenticated_at: row.authenticated_at,
                proved_at: row.proved_at,
                factor_proved_at: row.factor_proved_at,
                is_graced: row.graced_at.is_some(),
                active_at: row.active_at,
                silences: row.silences.0,
                device_label: row.device_label,
            },
        }
    }
}

/// The digest of the session that a cookie names, and its account: all that class claim may see.
pub(crate) async fn find_claimed(
    tx: &mut Tx<Identity>,
    session: SessionId,
) -> Result<Option<(AccountId, Vec<u8>)>, StoreError> {
    let row: Option<(AccountId, Vec<u8>)> = sqlx::query_as(
        "select account_id, secret_digest
         from identity.session
         where session_id = $1 and ended_at is null",
    )
    .bind(session)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// One session of the transaction's account, ended or not.
pub(crate) async fn find(
    tx: &mut Tx<Identity>,
    session: SessionId,
) -> Result<Option<StoredSession>, StoreError> {
    let row: Option<SessionRow> = sqlx::query_as(
        "select s.session_id, s.account_id, s.password_epoch, s.amr,
                s.authenticated_at, s.proved_at, s.factor_proved_at, s.graced_at, s.active_at,
                s.silences, s.device_label, s.ended_at,
                a.password_epoch as account_epoch, a.status as account_status
         from identity.session s
         join identity.account a using (account_id)
         where s.session_id = $1",
    )
    .bind(session)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(StoredSession::from))
}

/// The live sessions of an account, newest first, 50 at most.
pub(crate) async fn list(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Vec<StoredSession>, StoreError> {
    let rows: Vec<SessionRow> = sqlx::query_as(
        "select s.session_id, s.account_id, s.password_epoch, s.amr,
                s.authenticated_at, s.proved_at, s.factor_proved_at, s.graced_at, s.active_at,
                s.silences, s.device_label, s.ended_at,
                a.password_epoch as account_epoch, a.status as account_status
         from identity.session s
         join identity.account a using (account_id)
         where s.account_id = $1 and s.ended_at is null
         order by s.authenticated_at desc
         limit 50",
    )
    .bind(account)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(StoredSession::from).collect())
}

/// What is known of a browser when a session begins.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) device_label: &'a str,
    pub(crate) agent_digest: &'a [u8],
    pub(crate) network_digest: &'a [u8],
}

/// Saves a session that begins. The account is held until the transaction ends, so that two
/// sign-ins at once go one after the other: see [`mark_surplus_ended`].
pub(crate) async fn insert(
    tx: &mut Tx<Identity>,
    session: &Session,
    secret_digest: &[u8],
    place: &Place<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.session (session_id, account_id, secret_digest, password_epoch, amr,
           authenticated_at, proved_at, active_at, device_label, agent_digest, network_digest)
         select $1, a.account_id, $3, $4, $5, $6, $7, $8, $9, $10, $11
         from identity.account a
         where a.account_id = $2
         for no key update",
    )
    .bind(session.id)
    .bind(session.account)
    .bind(secret_digest)
    .bind(session.password_epoch)
    .bind(&session.amr)
    .bind(session.authenticated_at)
    .bind(session.proved_at)
    .bind(session.active_at)
    .bind(place.device_label)
    .bind(place.agent_digest)
    .bind(place.network_digest)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves the idle clock from where it was read to `at`; false if it moved meanwhile.
pub(crate) async fn mark_active(
    tx: &mut Tx<Identity>,
    session: &Session,
    silences: &[Silence],
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.session set active_at = $2, silences = $3
         where session_id = $1 and ended_at is null and active_at = $4",
    )
    .bind(session.id)
    .bind(at)
    .bind(sqlx::types::Json(silences))
    .bind(session.active_at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends one session; false if it had ended before.
pub(crate) async fn mark_ended(
    tx: &mut Tx<Identity>,
    session: SessionId,
    reason: EndReason,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.session set ended_at = $3, end_reason = $2
         where session_id = $1 and ended_at is null",
    )
    .bind(session)
    .bind(reason.name())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all sessions of an account but `kept`; says which.
pub(crate) async fn mark_others_ended(
    tx: &mut Tx<Identity>,
    account: AccountId,
    kept: Option<SessionId>,
    reason: EndReason,
    at: OffsetDateTime,
) -> Result<Vec<SessionId>, StoreError> {
    let ended: Vec<SessionId> = sqlx::query_scalar(
        "update identity.session set ended_at = $4, end_reason = $3
         where account_id = $1 and ended_at is null and session_id is distinct from $2
         returning session_id",
    )
    .bind(account)
    .bind(kept)
    .bind(reason.name())
    .bind(at)
    .fetch_all(tx.conn())
    .await?;
    Ok(ended)
}

/// A new secret for the same session after she proved her password again, and the epoch it now
/// stands in. What else she had proved in it before counts no longer.
pub(crate) async fn mark_proved(
    tx: &mut Tx<Identity>,
    session: SessionId,
    secret_digest: &[u8],
    password_epoch: i32,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.session
         set secret_digest = $2, password_epoch = $3, proved_at = $4, amr = '{pwd}',
             factor_proved_at = null, graced_at = null,
             active_at = greatest(active_at, $4)
         where session_id = $1 and ended_at is null",
    )
    .bind(session)
    .bind(secret_digest)
    .bind(password_epoch)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A new secret and epoch after her password was changed in the session; what she proved stays.
pub(crate) async fn mark_renewed(
    tx: &mut Tx<Identity>,
    session: SessionId,
    secret_digest: &[u8],
    password_epoch: i32,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.session
         set secret_digest = $2, password_epoch = $3, proved_at = $4,
             active_at = greatest(active_at, $4)
         where session_id = $1 and ended_at is null",
    )
    .bind(session)
    .bind(secret_digest)
    .bind(password_epoch)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends the live sessions of an account beyond `most`, those that were idle longest, but never
/// `kept`; says which. Sees those of every sign-in that held the account before.
pub(crate) async fn mark_surplus_ended(
    tx: &mut Tx<Identity>,
    account: AccountId,
    kept: SessionId,
    most: u32,
    at: OffsetDateTime,
) -> Result<Vec<SessionId>, StoreError> {
    let ended: Vec<SessionId> = sqlx::query_scalar(
        "update identity.session set ended_at = $5, end_reason = $4
         where session_id in (
           select s.session_id
           from identity.live_session s
           where s.account_id = $1
           order by s.session_id = $2 desc, s.active_at desc, s.session_id
           offset $3)
         returning session_id",
    )
    .bind(account)
    .bind(kept)
    .bind(i64::from(most))
    .bind(EndReason::Displaced.name())
    .bind(at)
    .fetch_all(tx.conn())
    .await?;
    Ok(ended)
}

/// A new secret for the same session after she proved a second factor.
pub(crate) async fn mark_factor_proved(
    tx: &mut Tx<Identity>,
    session: SessionId,
    secret_digest: &[u8],
    amr: &[String],
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.session
         set secret_digest = $2, amr = $3, factor_proved_at = $4,
             active_at = greatest(active_at, $4)
         where session_id = $1 and ended_at is null",
    )
    .bind(session)
    .bind(secret_digest)
    .bind(amr)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets this session go on without a second factor.
pub(crate) async fn mark_graced(
    tx: &mut Tx<Identity>,
    session: SessionId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identity.session set graced_at = $2
         where session_id = $1 and ended_at is null",
    )
    .bind(session)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct TenantSessionRow {
    sid: Uuid,
    subject_id: SubjectId,
    auth_time: OffsetDateTime,
    amr: Vec<String>,
    opened_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
}

#[derive(sqlx::FromRow)]
struct SidRow {
    session_id: SessionId,
    #[sqlx(flatten)]
    in_tenant: TenantSessionRow,
}

impl From<TenantSessionRow> for TenantSession {
    fn from(row: TenantSessionRow) -> Self {
        Self {
            sid: TenantSessionId::from_uuid(row.sid),
            subject: row.subject_id,
            auth_time: row.auth_time,
            amr: row.amr,
            opened_at: row.opened_at,
            ended_at: row.ended_at,
        }
    }
}

/// Opens the session for one tenant, or finds it open. `auth_time` of an open one moves only when
/// she `just_proved` who she is for this tenant; `amr` is the session's at this moment.
pub(crate) async fn open_tenant_session(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    session: SessionId,
    fresh: &TenantSession,
    just_proved: bool,
) -> Result<TenantSession, StoreError> {
    let row: TenantSessionRow = sqlx::query_as(
        "insert into identity.tenant_session as t
           (tenant_id, session_id, subject_id, sid, auth_time, opened_at, amr)
         values ($1, $2, $3, $4, $5, $6, $8)
         on conflict (tenant_id, session_id)
           do update set amr = excluded.amr,
             auth_time = case when $7 then excluded.auth_time else t.auth_time end
         returning sid, subject_id, auth_time, amr, opened_at, ended_at",
    )
    .bind(tenant)
    .bind(session)
    .bind(fresh.subject)
    .bind(fresh.sid)
    .bind(fresh.auth_time)
    .bind(fresh.opened_at)
    .bind(just_proved)
    .bind(&fresh.amr)
    .fetch_one(tx.conn())
    .await?;
    Ok(TenantSession::from(row))
}

/// The session as one tenant saw it before, if it did.
pub(crate) async fn find_tenant_session(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    session: SessionId,
) -> Result<Option<TenantSession>, StoreError> {
    let row: Option<TenantSessionRow> = sqlx::query_as(
        "select sid, subject_id, auth_time, amr, opened_at, ended_at
         from identity.tenant_session
         where tenant_id = $1 and session_id = $2",
    )
    .bind(tenant)
    .bind(session)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(TenantSession::from))
}

/// Which session a tenant's `sid` stands for, in that tenant.
pub(crate) async fn find_by_sid(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    sid: TenantSessionId,
) -> Result<Option<(SessionId, TenantSession)>, StoreError> {
    let row: Option<SidRow> = sqlx::query_as(
        "select session_id, sid, subject_id, auth_time, amr, opened_at, ended_at
         from identity.tenant_session
         where tenant_id = $1 and sid = $2",
    )
    .bind(tenant)
    .bind(sid)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.session_id, TenantSession::from(row.in_tenant))))
}

/// The strictest limits of a member's roles, the tenant and the app, in one tenant. `None`: no
/// role and no policy says anything.
pub(crate) async fn limits(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: SubjectId,
    app: &str,
) -> Result<Option<Limits>, StoreError> {
    let (idle, absolute): (Option<i32>, Option<i32>) = sqlx::query_as(
        "select min(l.idle_seconds), min(l.absolute_seconds) from (
           select r.idle_seconds, r.absolute_seconds
           from identity.membership_role m
           join identity.role r using (role)
           where m.tenant_id = $1 and m.subject_id = $2
           union all
           select p.idle_seconds, p.absolute_seconds
           from identity.session_policy p
           where p.tenant_id = $1
             and (p.applies_to = 'tenant'
               or (p.applies_to = 'app' and p.name = $3)
               or (p.applies_to = 'role' and p.name in (
                     select m.role from identity.membership_role m
                     where m.tenant_id = $1 and m.subject_id = $2)))
         ) l",
    )
    .bind(tenant)
    .bind(subject)
    .bind(app)
    .fetch_one(tx.conn())
    .await?;
    Ok(idle.zip(absolute).map(|(idle, absolute)| Limits {
        idle: Duration::seconds(idle.into()),
        absolute: Duration::seconds(absolute.into()),
    }))
}

/// Saves the limits of a tenant as a whole.
pub(super) async fn save_tenant_limits(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    limits: Limits,
) -> Result<(), StoreError> {
    let seconds = |of: Duration| i32::try_from(of.whole_seconds()).unwrap_or(i32::MAX);
    sqlx::query(
        "insert into identity.session_policy
           (tenant_id, applies_to, name, idle_seconds, absolute_seconds)
         values ($1, 'tenant', '', $2, $3)
         on conflict (tenant_id, applies_to, name) do update set
           idle_seconds = excluded.idle_seconds, absolute_seconds = excluded.absolute_seconds",
    )
    .bind(tenant)
    .bind(seconds(limits.idle))
    .bind(seconds(limits.absolute))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The sessions that a tenant has had until then, ended or not, `most` after this one in the order
/// of their ids.
pub(super) async fn list_in_tenant(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    until: OffsetDateTime,
    after: SessionId,
    most: i64,
) -> Result<Vec<SessionId>, StoreError> {
    let page = sqlx::query_scalar(
        "select session_id
         from identity.tenant_session
         where tenant_id = $1 and opened_at <= $2 and session_id > $3
         order by session_id
         limit $4",
    )
    .bind(tenant)
    .bind(until)
    .bind(after)
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    Ok(page)
}

/// Ends these sessions for one tenant alone; says which had not ended there before.
pub(super) async fn mark_ended_in_tenant(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    sessions: &[SessionId],
    at: OffsetDateTime,
) -> Result<Vec<SessionId>, StoreError> {
    let ended = sqlx::query_scalar(
        "update identity.tenant_session set ended_at = $3
         where tenant_id = $1 and session_id = any ($2) and ended_at is null
         returning session_id",
    )
    .bind(tenant)
    .bind(sessions)
    .bind(at)
    .fetch_all(tx.conn())
    .await?;
    Ok(ended)
}
