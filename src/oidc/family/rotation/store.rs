//! Calls of `clerk.rotation_facts` and `clerk.rotate`.

use std::collections::BTreeSet;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Claim, Refresh};
use crate::db::{Desk, SealedBundle, StoreError};
use crate::identity::membership::Member;
use crate::ids::TenantSessionId;
use crate::oidc::family::refresh_token::PresentedRefreshToken;
use crate::oidc::family::store::{FamilyRow, Found};
use crate::sessions::service::{Inspected, Standing};
use crate::sessions::{Limits, Session, Silence, TenantSession};

#[derive(sqlx::FromRow)]
struct FactsRow {
    n: i64,
    #[sqlx(flatten)]
    family: FamilyRow,
    client_version: String,
    client_secrets: Vec<Vec<u8>>,
    #[sqlx(flatten)]
    session: SessionRow,
    membership_is_active: bool,
    tenant_is_active: bool,
    display_name: String,
    login: String,
    roles: Vec<String>,
    role_scopes: String,
    idle_seconds: Option<i32>,
    absolute_seconds: Option<i32>,
}

/// The session as far as tokens tell of it, or end with it. A column more is one more of
/// `clerk.rotation_facts`, in a migration.
#[derive(sqlx::FromRow)]
struct SessionRow {
    sid: Uuid,
    auth_time: OffsetDateTime,
    opened_at: OffsetDateTime,
    tenant_amr: Vec<String>,
    device_label: String,
    session_epoch: i32,
    amr: Vec<String>,
    authenticated_at: OffsetDateTime,
    proved_at: OffsetDateTime,
    factor_proved_at: Option<OffsetDateTime>,
    graced_at: Option<OffsetDateTime>,
    active_at: OffsetDateTime,
    silences: sqlx::types::Json<Vec<Silence>>,
    session_is_ended: bool,
    account_is_active: bool,
    account_epoch: i32,
}

/// What one rotation is judged by, as one snapshot showed it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) found: Found,
    pub(super) client_version: String,
    pub(super) client_secrets: Vec<Vec<u8>>,
    pub(super) session: Inspected,
    pub(super) membership_is_active: bool,
    pub(super) tenant_is_active: bool,
    pub(super) member: Member,
}

/// Reads what all of `asked` are judged by; the n-th answer is the n-th one's.
///
/// - `platform`: the longest that any session goes on.
pub(super) async fn read(
    desk: &mut Desk,
    bundle: &SealedBundle,
    asked: &[&Refresh],
    platform: Limits,
    now: OffsetDateTime,
) -> Result<Vec<Option<Read>>, StoreError> {
    let rows: Vec<FactsRow> = sqlx::query_as(
        "select n, client_id, account_id, subject_id, session_id, scopes, audience,
                key_thumbprint, absolute_end_at, current_generation, current_is_used, redeemed_at,
                redeemed_network_digest, redeemed_agent_digest, access_ends_at, lockstep_earlier,
                lockstep_current, sealed_successor, seal_key_id, ended_at, end_reason,
                token_digest, client_version, client_secrets, sid, auth_time, opened_at,
                tenant_amr, device_label, session_epoch, amr, authenticated_at, proved_at,
                factor_proved_at, graced_at, active_at, silences, session_is_ended,
                account_is_active, account_epoch,
                membership_is_active, tenant_is_active, display_name, login, roles, role_scopes,
                idle_seconds, absolute_seconds
         from clerk.rotation_facts($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(bundle.context())
    .bind(bundle.tenants())
    .bind(each(asked, |r| r.asked.presented.family().as_uuid()))
    .bind(each(asked, |r| i64::from(r.asked.presented.generation().0)))
    .bind(each(asked, |r| r.client_tenant.as_uuid()))
    .bind(each(asked, |r| r.by.id.as_str()))
    .bind(now)
    .fetch_all(desk.conn())
    .await?;
    let mut read: Vec<Option<Read>> = asked.iter().map(|_| None).collect();
    for row in rows {
        let n = usize::try_from(row.n - 1).unwrap_or(usize::MAX);
        if let (Some(place), Some(asked)) = (read.get_mut(n), asked.get(n)) {
            *place = Some(row.into_read(&asked.asked.presented, platform)?);
        }
    }
    Ok(read)
}

impl FactsRow {
    fn into_read(
        self,
        presented: &PresentedRefreshToken,
        platform: Limits,
    ) -> Result<Read, StoreError> {
        let found = self
            .family
            .into_found(presented.tenant(), presented.family())?;
        let seconds = |of: i32| Duration::seconds(of.into());
        let others = self.idle_seconds.zip(self.absolute_seconds);
        let others = others.map(|(idle, absolute)| Limits {
            idle: seconds(idle),
            absolute: seconds(absolute),
        });
        let is_active =
            self.membership_is_active && self.tenant_is_active && self.session.account_is_active;
        let limits = crate::sessions::policy::strictest(platform, others);
        Ok(Read {
            client_version: self.client_version,
            client_secrets: self.client_secrets,
            membership_is_active: self.membership_is_active,
            tenant_is_active: self.tenant_is_active,
            member: Member {
                subject: found.grant.subject,
                display_name: self.display_name,
                login: self.login,
                roles: self.roles,
                scopes: scopes_of(&self.role_scopes),
                is_active,
            },
            session: self.session.into_inspected(&found, limits),
            found,
        })
    }
}

impl SessionRow {
    fn into_inspected(self, found: &Found, limits: Limits) -> Inspected {
        Inspected {
            is_ended: self.session_is_ended,
            account_is_active: self.account_is_active,
            account_password_epoch: self.account_epoch,
            standing: Standing {
                session: Session {
                    id: found.grant.session,
                    account: found.family.account,
                    password_epoch: self.session_epoch,
                    amr: self.amr,
                    authenticated_at: self.authenticated_at,
                    proved_at: self.proved_at,
                    factor_proved_at: self.factor_proved_at,
                    is_graced: self.graced_at.is_some(),
                    active_at: self.active_at,
                    silences: self.silences.0,
                    device_label: self.device_label,
                },
                in_tenant: TenantSession {
                    sid: TenantSessionId::from_uuid(self.sid),
                    subject: found.grant.subject,
                    auth_time: self.auth_time,
                    amr: self.tenant_amr,
                    opened_at: self.opened_at,
                },
                limits,
            },
        }
    }
}

/// Writes all of `claims` that can still be; the n-th answer says whether the n-th one was.
pub(super) async fn write(
    desk: &mut Desk,
    bundle: &SealedBundle,
    claims: &[Claim],
) -> Result<Vec<bool>, StoreError> {
    let written: Vec<i64> = sqlx::query_scalar(
        "select clerk.rotate($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                             $16, $17, $18, $19)",
    )
    .bind(bundle.context())
    .bind(bundle.tenants())
    .bind(bundle.accounts())
    .bind(bundle.subjects())
    .bind(each(claims, |c| c.family.as_uuid()))
    .bind(each(claims, |c| c.session.as_uuid()))
    .bind(each(claims, |c| i64::from(c.successor.0)))
    .bind(each(claims, |c| c.redemption.redeemed_at))
    .bind(each(claims, |c| {
        c.redemption.place.network_digest.as_slice()
    }))
    .bind(each(claims, |c| {
        c.redemption.place.user_agent_digest.as_slice()
    }))
    .bind(each(claims, |c| c.redemption.access_ends_at))
    .bind(each(claims, |c| i16::from(c.lockstep_earlier)))
    .bind(each(claims, |c| c.sealed.bytes.as_slice()))
    .bind(each(claims, |c| c.sealed.key_id.0))
    .bind(each(claims, |c| c.sealed_until))
    .bind(each(claims, |c| c.digest.as_bytes()))
    .bind(each(claims, |c| c.event.id))
    .bind(each(claims, |c| c.event.detail.clone()))
    .bind(each(claims, |c| c.event.mac.as_slice()))
    .fetch_one(desk.conn())
    .await?;
    let numbers = 1..=i64::try_from(claims.len()).unwrap_or(i64::MAX);
    Ok(numbers.map(|n| written.contains(&n)).collect())
}

/// Those of all her roles, each once.
fn scopes_of(words: &str) -> Vec<String> {
    let scopes: BTreeSet<&str> = words.split_whitespace().collect();
    scopes.into_iter().map(str::to_owned).collect()
}

fn each<'a, I, T>(items: &'a [I], part: impl Fn(&'a I) -> T) -> Vec<T> {
    items.iter().map(part).collect()
}
