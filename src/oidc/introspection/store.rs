//! Everything behind one token, in one statement.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::{Identity, StoreError, Tx};
use crate::identity::membership::Member;
use crate::ids::{
    AccountId, DelegationId, ImpersonationId, SessionId, SubjectId, TenantId, TenantSessionId,
};
use crate::oidc::token::access_token::AccessToken;
use crate::sessions::Limits;
use crate::sessions::read::{Holder, MemberRead, SessionRead};
use crate::sessions::service::Inspected;

/// What a token says of where to look.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    tenant: TenantId,
    subject: Uuid,
    client: &'a str,
    kid: &'a str,
    issued_at: OffsetDateTime,
}

impl<'a> Asked<'a> {
    pub(super) fn of(token: &'a AccessToken, issued_at: OffsetDateTime) -> Self {
        Self {
            tenant: token.claims.tid,
            subject: token.claims.sub,
            client: &token.claims.client_id,
            kid: &token.kid,
            issued_at,
        }
    }
}

/// What a person's token and a service's hang on alike.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Rest {
    /// An active client in an active clinic, by a key that is published, and nothing ended since.
    pub(super) holds: bool,
    pub(super) client_scopes: Vec<String>,
}

#[derive(sqlx::FromRow)]
pub(super) struct PersonRow {
    session_id: SessionId,
    account_id: AccountId,
    #[sqlx(flatten)]
    session: SessionRead,
    #[sqlx(flatten)]
    member: MemberRead,
    #[sqlx(flatten)]
    rest: Rest,
}

/// What a person's token hangs on.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) rest: Rest,
    pub(super) session: Inspected,
    pub(super) member: Member,
}

impl PersonRow {
    /// - `platform`: the longest that any session goes on.
    pub(super) fn of(self, subject: SubjectId, platform: Limits) -> Person {
        let holder = Holder {
            session: self.session_id,
            account: self.account_id,
            subject,
        };
        let session = self.session.of(holder, platform);
        Person {
            member: self.member.of(&session),
            session,
            rest: self.rest,
        }
    }
}

/// The session of a person's token with all that it needs to stand; `None` if it was never there.
///
/// A family that ended since the token was issued ends it: the token does not say of which family
/// of its client it is, so one that ended takes its siblings' tokens of before with it, and those
/// are refreshed (docs/decisions/0026).
pub(super) async fn find_person(
    tx: &mut Tx<Identity>,
    asked: &Asked<'_>,
    (sid, subject): (TenantSessionId, SubjectId),
) -> Result<Option<PersonRow>, StoreError> {
    let row = sqlx::query_as(
        "select s.session_id, s.account_id,
                o.sid, o.auth_time, o.opened_at, o.amr as tenant_amr,
                s.device_label, s.password_epoch as session_epoch, s.amr, s.authenticated_at,
                s.proved_at, s.factor_proved_at, s.graced_at, s.active_at, s.silences,
                s.ended_at is not null or o.ended_at is not null as session_is_ended,
                a.status = 'active' as account_is_active, a.password_epoch as account_epoch,
                m.status = 'active' as membership_is_active,
                d.status = 'active' as tenant_is_active,
                m.display_name, a.login, r.roles, r.scopes as role_scopes,
                least(r.idle_seconds, l.idle_seconds) as idle_seconds,
                least(r.absolute_seconds, l.absolute_seconds) as absolute_seconds,
                c.scopes as client_scopes,
                c.status = 'active' and d.status = 'active' and identity.is_published($5)
                  and not exists (select from identity.token_family f
                                  where f.tenant_id = $1 and f.session_id = o.session_id
                                    and f.client_id = $4 and f.ended_at >= $6)
                  and not exists (select from identity.sessions_end e
                                  where e.tenant_id = $1 and e.ended_at >= $6) as holds
         from identity.tenant_session o
         join identity.session s on s.session_id = o.session_id
         join identity.membership m on m.tenant_id = $1 and m.subject_id = o.subject_id
           and m.account_id = s.account_id
         join identity.account a on a.account_id = m.account_id
         join identity.clinic d on d.tenant_id = $1
         join identity.client c on c.tenant_id = any (array[$1, $7]) and c.client_id = $4
         cross join lateral (
           select coalesce(array_agg(x.role order by x.role), '{}') as roles,
                  coalesce(string_agg(array_to_string(y.scopes, ' '), ' '), '') as scopes,
                  min(y.idle_seconds) as idle_seconds, min(y.absolute_seconds) as absolute_seconds
           from identity.membership_role x
           join identity.role y on y.role = x.role
           where x.tenant_id = $1 and x.subject_id = o.subject_id
         ) r
         cross join lateral (
           select min(p.idle_seconds) as idle_seconds, min(p.absolute_seconds) as absolute_seconds
           from identity.session_policy p
           where p.tenant_id = $1
             and (p.applies_to = 'tenant'
               or (p.applies_to = 'app' and p.name = c.app)
               or (p.applies_to = 'role' and p.name = any (r.roles)))
         ) l
         where o.tenant_id = $1 and o.sid = $2 and o.subject_id = $3",
    )
    .bind(asked.tenant)
    .bind(sid)
    .bind(subject)
    .bind(asked.client)
    .bind(asked.kid)
    .bind(asked.issued_at)
    .bind(TenantId::PLATFORM)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// What a token under `act` hangs on, and what is lent under its grant or delegation now.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Acted {
    #[sqlx(flatten)]
    pub(super) rest: Rest,
    pub(super) roles: Vec<String>,
    pub(super) scopes: Vec<String>,
}

/// The grant of a token under `act` with all that it needs to stand; `None` if it was never there.
///
/// What takes the ground from under its actor ends the grant itself (`migrations/0033`), so that
/// his rows, which are another tenant's, need not be seen from here.
pub(super) async fn find_acted(
    tx: &mut Tx<Identity>,
    asked: &Asked<'_>,
    grant: ImpersonationId,
    now: OffsetDateTime,
) -> Result<Option<Acted>, StoreError> {
    let row = sqlx::query_as(
        "select l.roles, l.scopes, c.scopes as client_scopes,
                i.state = 'active' and i.ends_at > $8
                  and m.status = 'active' and a.status = 'active'
                  and c.status = 'active' and d.status = 'active' and identity.is_published($5)
                  and not exists (select from identity.sessions_end e
                                  where e.tenant_id = $1 and e.ended_at >= $6) as holds
         from identity.impersonation i
         join identity.membership m on m.tenant_id = $1 and m.subject_id = i.subject_id
         join identity.account a on a.account_id = m.account_id
         join identity.clinic d on d.tenant_id = $1
         join identity.client c on c.tenant_id = $7 and c.client_id = $4
         cross join lateral (
           select coalesce(array_agg(distinct x.role), '{}') as roles,
                  coalesce(array_agg(distinct p.scope), '{}') as scopes
           from identity.membership_role x
           join identity.role_permission y on y.role = x.role
           join identity.lent_permission z on z.permission = y.permission and z.preset = i.preset
           join identity.permission p on p.permission = z.permission
           where x.tenant_id = $1 and x.subject_id = i.subject_id
         ) l
         where i.tenant_id = $1 and i.impersonation_id = $2 and i.subject_id = $3",
    )
    .bind(asked.tenant)
    .bind(grant)
    .bind(asked.subject)
    .bind(asked.client)
    .bind(asked.kid)
    .bind(asked.issued_at)
    .bind(TenantId::PLATFORM)
    .bind(now)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// The same of a token under a delegation.
pub(super) async fn find_delegated(
    tx: &mut Tx<Identity>,
    asked: &Asked<'_>,
    delegation: DelegationId,
    now: OffsetDateTime,
) -> Result<Option<Acted>, StoreError> {
    let row = sqlx::query_as(
        "select l.roles, l.scopes, c.scopes as client_scopes,
                g.ended_at is null and g.valid_from <= $8
                  and (g.ends_at is null or g.ends_at > $8)
                  and (g.tokens_ended_at is null or g.tokens_ended_at < $6)
                  and m.status = 'active' and a.status = 'active'
                  and c.status = 'active' and d.status = 'active' and identity.is_published($5)
                  and not exists (select from identity.sessions_end e
                                  where e.tenant_id = $1 and e.ended_at >= $6) as holds
         from identity.delegation g
         join identity.membership m on m.tenant_id = $1 and m.subject_id = g.patient_id
         join identity.account a on a.account_id = m.account_id
         join identity.clinic d on d.tenant_id = $1
         join identity.client c on c.tenant_id = any (array[$1, $7]) and c.client_id = $4
         cross join lateral (
           select coalesce(array_agg(distinct x.role), '{}') as roles,
                  coalesce(array_agg(distinct p.scope), '{}') as scopes
           from identity.membership_role x
           join identity.role_permission y on y.role = x.role and y.permission = any (g.scope)
           join identity.permission p on p.permission = y.permission
           where x.tenant_id = $1 and x.subject_id = g.patient_id and x.role = 'patient'
         ) l
         where g.tenant_id = $1 and g.delegation_id = $2 and g.patient_id = $3",
    )
    .bind(asked.tenant)
    .bind(delegation)
    .bind(asked.subject)
    .bind(asked.client)
    .bind(asked.kid)
    .bind(asked.issued_at)
    .bind(TenantId::PLATFORM)
    .bind(now)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// The same of a service's own token, which has no session.
pub(super) async fn find_service(
    tx: &mut Tx<Identity>,
    asked: &Asked<'_>,
) -> Result<Option<Rest>, StoreError> {
    let row = sqlx::query_as(
        "select c.scopes as client_scopes,
                c.status = 'active' and d.status = 'active' and identity.is_published($3)
                  and not exists (select from identity.sessions_end e
                                  where e.tenant_id = $1 and e.ended_at >= $4) as holds
         from identity.client c
         join identity.clinic d on d.tenant_id = $1
         where c.tenant_id = $1 and c.client_id = $2",
    )
    .bind(asked.tenant)
    .bind(asked.client)
    .bind(asked.kid)
    .bind(asked.issued_at)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}
