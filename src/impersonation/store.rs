//! `identity.impersonation`, its policy, what is lent, and what was opened.

use time::OffsetDateTime;

use super::model::{
    Acted, EndCause, Grant, ImpersonationId, Opened, Preset, Rule, START_WITHIN, State, Wanted,
};
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{AccountId, ClientId, SessionId, SubjectId, TenantId};

/// What a word of the table can't be.
fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt {
        table: "identity.impersonation",
        what,
    }
}

/// The clinic's rule, in a transaction of the clinic. Without a row: [`Rule::Forbidden`].
pub(super) async fn find_rule(tx: &mut Tx<Identity>, tenant: TenantId) -> Result<Rule, StoreError> {
    let word: Option<String> =
        sqlx::query_scalar("select rule from identity.impersonation_policy where tenant_id = $1")
            .bind(tenant)
            .fetch_optional(tx.conn())
            .await?;
    match word {
        None => Ok(Rule::Forbidden),
        Some(word) => Rule::parse(&word).ok_or_else(|| corrupt("an unknown rule")),
    }
}

/// Saves the clinic's rule; false if it is so already.
pub(super) async fn put_rule(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    rule: Rule,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into identity.impersonation_policy as p (tenant_id, applies_to, rule, changed_at)
         values ($1, 'everybody', $2, $3)
         on conflict (tenant_id, applies_to) do update
           set rule = excluded.rule, changed_at = excluded.changed_at
           where p.rule <> excluded.rule",
    )
    .bind(tenant)
    .bind(rule.as_str())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether a role is lent anything under any preset.
pub(super) async fn is_lent(tx: &mut Tx<Identity>, roles: &[String]) -> Result<bool, StoreError> {
    let is_lent = sqlx::query_scalar(
        "select exists (select from identity.lent_permission where role = any ($1))",
    )
    .bind(roles)
    .fetch_one(tx.conn())
    .await?;
    Ok(is_lent)
}

/// What of a member's rights is lent.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Lending {
    /// Her account.
    pub(super) account_id: AccountId,
    /// As her clinic calls her.
    pub(super) display_name: String,
    /// Whether each of her roles may be acted as, and there is one.
    pub(super) may_be_acted_as: bool,
    /// Those of her roles that carry a lent key.
    pub(super) roles: Vec<String>,
    /// The scopes of the lent keys.
    pub(super) scopes: Vec<String>,
}

/// In a transaction of the member's clinic; `None`: no such member there.
pub(super) async fn find_lending(
    tx: &mut Tx<Identity>,
    (tenant, subject): (TenantId, SubjectId),
    actor_roles: &[String],
    preset: Preset,
) -> Result<Option<Lending>, StoreError> {
    let row = sqlx::query_as(
        "select m.account_id, m.display_name,
                coalesce((select bool_and(role.may_be_acted_as)
                  from identity.membership_role r
                  join identity.role on role.role = r.role
                  where r.tenant_id = $1 and r.subject_id = $2), false) as may_be_acted_as,
                array(select distinct r.role
                  from identity.membership_role r
                  join identity.role_permission rp on rp.role = r.role
                  join identity.lent_permission l on l.permission = rp.permission
                  where r.tenant_id = $1 and r.subject_id = $2
                    and l.role = any ($3) and l.preset = $4
                  order by 1) as roles,
                array(select distinct p.scope
                  from identity.membership_role r
                  join identity.role_permission rp on rp.role = r.role
                  join identity.lent_permission l on l.permission = rp.permission
                  join identity.permission p on p.permission = l.permission
                  where r.tenant_id = $1 and r.subject_id = $2
                    and l.role = any ($3) and l.preset = $4
                  order by 1) as scopes
         from identity.membership m
         where m.tenant_id = $1 and m.subject_id = $2",
    )
    .bind(tenant)
    .bind(subject)
    .bind(actor_roles)
    .bind(preset.as_str())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// A request and its actor, ready to be stored.
#[derive(Debug)]
pub(super) struct NewGrant<'a> {
    pub(super) id: ImpersonationId,
    pub(super) wanted: &'a Wanted,
    pub(super) account: AccountId,
    pub(super) actor: (SubjectId, AccountId, &'a str),
    pub(super) client: &'a ClientId,
    pub(super) rule: Rule,
    pub(super) at: OffsetDateTime,
}

/// Stores it: approved at once where the clinic allows it, requested otherwise.
pub(super) async fn insert(tx: &mut Tx<Identity>, new: &NewGrant<'_>) -> Result<(), StoreError> {
    let is_approved = new.rule == Rule::Allowed;
    let state = if is_approved {
        State::Approved
    } else {
        State::Requested
    };
    let (actor, actor_account, actor_name) = new.actor;
    sqlx::query(
        "insert into identity.impersonation
           (tenant_id, impersonation_id, subject_id, account_id, actor_id, actor_account_id,
            actor_name, client_id, reason, ticket, preset, minutes, rule, state, requested_at,
            start_by, approved_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(new.wanted.tenant)
    .bind(new.id)
    .bind(new.wanted.subject)
    .bind(new.account)
    .bind(actor)
    .bind(actor_account)
    .bind(actor_name)
    .bind(new.client)
    .bind(new.wanted.reason.as_str())
    .bind(new.wanted.ticket.as_str())
    .bind(new.wanted.preset.as_str())
    .bind(new.wanted.minutes.count())
    .bind(new.rule.as_str())
    .bind(state.as_str())
    .bind(new.at)
    .bind(new.at + START_WITHIN)
    .bind(is_approved.then_some(new.at))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A grant's columns; those who oversee read them too.
#[derive(sqlx::FromRow)]
pub(super) struct GrantRow {
    tenant_id: TenantId,
    impersonation_id: ImpersonationId,
    subject_id: SubjectId,
    account_id: AccountId,
    actor_id: SubjectId,
    actor_account_id: AccountId,
    actor_name: String,
    reason: String,
    ticket: String,
    preset: String,
    minutes: i16,
    rule: String,
    state: String,
    requested_at: OffsetDateTime,
    start_by: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    ends_at: Option<OffsetDateTime>,
    actor_session_id: Option<SessionId>,
    ended_at: Option<OffsetDateTime>,
    end_reason: Option<String>,
}

impl TryFrom<GrantRow> for Grant {
    type Error = StoreError;

    fn try_from(row: GrantRow) -> Result<Self, StoreError> {
        let cause = row.end_reason.map(|word| EndCause::parse(&word));
        Ok(Self {
            id: row.impersonation_id,
            tenant: row.tenant_id,
            subject: row.subject_id,
            account: row.account_id,
            actor: row.actor_id,
            actor_account: row.actor_account_id,
            actor_name: row.actor_name,
            reason: row.reason,
            ticket: row.ticket,
            preset: Preset::parse(&row.preset).ok_or_else(|| corrupt("an unknown preset"))?,
            minutes: row.minutes,
            rule: Rule::parse(&row.rule).ok_or_else(|| corrupt("an unknown rule"))?,
            state: State::parse(&row.state).ok_or_else(|| corrupt("an unknown state"))?,
            requested_at: row.requested_at,
            start_by: row.start_by,
            started_at: row.started_at,
            ends_at: row.ends_at,
            actor_session: row.actor_session_id,
            ended_at: row.ended_at,
            end_cause: match cause {
                Some(None) => return Err(corrupt("an unknown cause")),
                Some(known) => known,
                None => None,
            },
        })
    }
}

/// A grant of the transaction's tenant, held until it ends: what would end the grant waits.
pub(super) async fn find_held(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: ImpersonationId,
) -> Result<Option<Grant>, StoreError> {
    let row: Option<GrantRow> = sqlx::query_as(
        "select tenant_id, impersonation_id, subject_id, account_id, actor_id, actor_account_id,
                actor_name, reason, ticket, preset, minutes, rule, state, requested_at, start_by,
                started_at, ends_at, actor_session_id, ended_at, end_reason
         from identity.impersonation
         where tenant_id = $1 and impersonation_id = $2
         for no key update",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    row.map(Grant::try_from).transpose()
}

/// When the actor asked for the one that is so many requests back, if there are as many; under the
/// authority of the agent.
pub(super) async fn find_asked_at(
    tx: &mut Tx<Identity>,
    actor: SubjectId,
    back: u32,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let asked_at = sqlx::query_scalar(
        "select requested_at from identity.impersonation
         where actor_id = $1
         order by requested_at desc offset $2 limit 1",
    )
    .bind(actor)
    .bind(i64::from(back) - 1)
    .fetch_optional(tx.conn())
    .await?;
    Ok(asked_at)
}

/// Which clinic's one of the actor's own grants is, under the authority of the agent.
pub(super) async fn find_place(
    tx: &mut Tx<Identity>,
    actor: SubjectId,
    id: ImpersonationId,
) -> Result<Option<(TenantId, SubjectId)>, StoreError> {
    let place = sqlx::query_as(
        "select tenant_id, subject_id from identity.impersonation
         where impersonation_id = $1 and actor_id = $2",
    )
    .bind(id)
    .bind(actor)
    .fetch_optional(tx.conn())
    .await?;
    Ok(place)
}

/// The newest hundred of a clinic, or of one of its members, newest first.
pub(super) async fn list(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    subject: Option<SubjectId>,
) -> Result<Vec<Grant>, StoreError> {
    let rows: Vec<GrantRow> = sqlx::query_as(
        "select tenant_id, impersonation_id, subject_id, account_id, actor_id, actor_account_id,
                actor_name, reason, ticket, preset, minutes, rule, state, requested_at, start_by,
                started_at, ends_at, actor_session_id, ended_at, end_reason
         from identity.impersonation
         where tenant_id = $1 and ($2::uuid is null or subject_id = $2)
         order by requested_at desc, impersonation_id
         limit 100",
    )
    .bind(tenant)
    .bind(subject)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// The newest hundred of an actor, in whatever clinic, under the authority of the agent.
pub(super) async fn list_of_actor(
    tx: &mut Tx<Identity>,
    actor: SubjectId,
) -> Result<Vec<Grant>, StoreError> {
    let rows: Vec<GrantRow> = sqlx::query_as(
        "select tenant_id, impersonation_id, subject_id, account_id, actor_id, actor_account_id,
                actor_name, reason, ticket, preset, minutes, rule, state, requested_at, start_by,
                started_at, ends_at, actor_session_id, ended_at, end_reason
         from identity.impersonation
         where actor_id = $1
         order by requested_at desc, impersonation_id
         limit 100",
    )
    .bind(actor)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// Those of a clinic that are not over, or the one of that id if it is not; held.
pub(super) async fn list_open(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: Option<ImpersonationId>,
) -> Result<Vec<Grant>, StoreError> {
    let rows: Vec<GrantRow> = sqlx::query_as(
        "select tenant_id, impersonation_id, subject_id, account_id, actor_id, actor_account_id,
                actor_name, reason, ticket, preset, minutes, rule, state, requested_at, start_by,
                started_at, ends_at, actor_session_id, ended_at, end_reason
         from identity.impersonation
         where tenant_id = $1 and ended_at is null and ($2::uuid is null or impersonation_id = $2)
         order by requested_at
         for no key update",
    )
    .bind(tenant)
    .bind(id)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// requested → approved, by the transaction's subject; false if it was not requested or is void.
pub(super) async fn mark_approved(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, ImpersonationId),
    by: SubjectId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.impersonation
         set state = 'approved', approved_at = $4, approved_by = $3
         where tenant_id = $1 and impersonation_id = $2 and state = 'requested' and start_by > $4",
    )
    .bind(tenant)
    .bind(id)
    .bind(by)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// approved → active; false if it was not approved or is void.
pub(super) async fn mark_started(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, ImpersonationId),
    session: SessionId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.impersonation
         set state = 'active', started_at = $4, ends_at = $4 + make_interval(mins => minutes),
             actor_session_id = $3
         where tenant_id = $1 and impersonation_id = $2 and state = 'approved' and start_by > $4",
    )
    .bind(tenant)
    .bind(id)
    .bind(session)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends it, in the log too by the caller; false if it was over.
///
/// - `state`: one that is over
pub(super) async fn mark_ended(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, ImpersonationId),
    (state, cause): (State, EndCause),
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update identity.impersonation
         set state = $3, ended_at = $5, end_reason = $4, end_recorded_at = $5
         where tenant_id = $1 and impersonation_id = $2 and ended_at is null
           and ($3 <> 'refused' or state = 'requested')",
    )
    .bind(tenant)
    .bind(id)
    .bind(state.as_str())
    .bind(cause.as_str())
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends what was asked for until then and is not over, of one clinic or of all, and leaves its end
/// to be recorded as one of a trigger's; says how many.
pub(super) async fn end_asked_until(
    tx: &mut Tx<Identity>,
    tenant: Option<TenantId>,
    until: OffsetDateTime,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update identity.impersonation
         set state = 'ended', ended_at = $2, end_reason = 'by_operator'
         where ended_at is null and end_recorded_at is null and requested_at <= $2
           and ($1::uuid is null or tenant_id = $1)",
    )
    .bind(tenant)
    .bind(until)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// A grant that is over, or should be, and whose end is not in the log.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Unsettled {
    #[sqlx(rename = "tenant_id")]
    pub(super) tenant: TenantId,
    #[sqlx(rename = "impersonation_id")]
    pub(super) id: ImpersonationId,
    #[sqlx(rename = "subject_id")]
    pub(super) subject: SubjectId,
    #[sqlx(rename = "actor_id")]
    pub(super) actor: SubjectId,
}

/// Oldest first, a hundred at most; under the job, of one clinic or of all.
pub(super) async fn list_unsettled(
    tx: &mut Tx<Identity>,
    now: OffsetDateTime,
) -> Result<Vec<Unsettled>, StoreError> {
    let rows = sqlx::query_as(
        "select tenant_id, impersonation_id, subject_id, actor_id
         from identity.impersonation
         where end_recorded_at is null
           and (ended_at is not null or ends_at <= $1 or started_at is null and start_by <= $1)
         order by requested_at
         limit 100",
    )
    .bind(now)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// Settles one: what ran out is over from then on. Gives why it ended, and whether it had started;
/// `None` if there was nothing to settle.
pub(super) async fn settle(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, ImpersonationId),
    now: OffsetDateTime,
) -> Result<Option<(State, EndCause)>, StoreError> {
    let row: Option<(String, String)> = sqlx::query_as(
        "update identity.impersonation
         set state = case when ended_at is not null then state
               when started_at is not null then 'ended' else 'expired' end,
             end_reason = coalesce(end_reason,
               case when started_at is not null then 'time' else 'unanswered' end),
             ended_at = coalesce(ended_at, ends_at, start_by),
             end_recorded_at = $3
         where tenant_id = $1 and impersonation_id = $2 and end_recorded_at is null
           and (ended_at is not null or ends_at <= $3 or started_at is null and start_by <= $3)
         returning state, end_reason",
    )
    .bind(tenant)
    .bind(id)
    .bind(now)
    .fetch_optional(tx.conn())
    .await?;
    let Some((state, cause)) = row else {
        return Ok(None);
    };
    let state = State::parse(&state).ok_or_else(|| corrupt("an unknown state"))?;
    let cause = EndCause::parse(&cause).ok_or_else(|| corrupt("an unknown cause"))?;
    Ok(Some((state, cause)))
}

/// Counts one request among what was opened.
pub(super) async fn count_opened(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, ImpersonationId),
    acted: &Acted,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity.impersonation_opened as o
           (tenant_id, impersonation_id, audience, method, route, times, first_at, last_at)
         values ($1, $2, $3, $4, $5, 1, $6, $6)
         on conflict (tenant_id, impersonation_id, audience, method, route) do update
           set times = o.times + 1, last_at = greatest(o.last_at, excluded.last_at)",
    )
    .bind(tenant)
    .bind(id)
    .bind(&acted.audience)
    .bind(&acted.method)
    .bind(&acted.route)
    .bind(acted.at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What was opened under these grants of a clinic, the latest first.
pub(super) async fn list_opened(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    ids: &[ImpersonationId],
) -> Result<Vec<Opened>, StoreError> {
    let opened = sqlx::query_as(
        "select impersonation_id, method, route, sum(times)::bigint as times,
                max(last_at) as last_at
         from identity.impersonation_opened
         where tenant_id = $1 and impersonation_id = any ($2)
         group by impersonation_id, method, route
         order by max(last_at) desc, route
         limit 500",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    Ok(opened)
}
