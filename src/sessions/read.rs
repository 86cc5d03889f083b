//! A session with its member and their limits, as one row of a function of the clerk's shows them
//! (docs/decisions/0020). A column more is one more of each such function, in a migration.

use std::collections::BTreeSet;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::model::{Limits, Session, Silence, TenantSession};
use super::policy;
use super::service::{Inspected, Standing};
use crate::identity::membership::Member;
use crate::ids::{AccountId, SessionId, SubjectId, TenantSessionId};

/// Whose session a row shows, and which.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) session: SessionId,
    pub(crate) account: AccountId,
    pub(crate) subject: SubjectId,
}

/// The session as far as tokens tell of it, or end with it, and its limits.
#[derive(sqlx::FromRow)]
pub(crate) struct SessionRead {
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
    idle_seconds: Option<i32>,
    absolute_seconds: Option<i32>,
}

impl SessionRead {
    /// - `platform`: the longest that any session goes on.
    pub(crate) fn of(self, holder: Holder, platform: Limits) -> Inspected {
        let seconds = |of: i32| Duration::seconds(of.into());
        let others = self.idle_seconds.zip(self.absolute_seconds);
        let others = others.map(|(idle, absolute)| Limits {
            idle: seconds(idle),
            absolute: seconds(absolute),
        });
        Inspected {
            is_ended: self.session_is_ended,
            account_is_active: self.account_is_active,
            account_password_epoch: self.account_epoch,
            standing: Standing {
                session: Session {
                    id: holder.session,
                    account: holder.account,
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
                    subject: holder.subject,
                    auth_time: self.auth_time,
                    amr: self.tenant_amr,
                    opened_at: self.opened_at,
                    // One that its tenant ended is not shown to the clerk.
                    ended_at: None,
                },
                limits: policy::strictest(platform, others),
            },
        }
    }
}

/// The member whose session it is.
#[derive(sqlx::FromRow)]
pub(crate) struct MemberRead {
    pub(crate) membership_is_active: bool,
    pub(crate) tenant_is_active: bool,
    display_name: String,
    login: String,
    roles: Vec<String>,
    role_scopes: String,
}

impl MemberRead {
    /// - `of`: the session that was read with it.
    pub(crate) fn of(self, of: &Inspected) -> Member {
        Member {
            subject: of.standing.in_tenant.subject,
            display_name: self.display_name,
            login: self.login,
            roles: self.roles,
            scopes: scopes_of(&self.role_scopes),
            is_active: self.membership_is_active && self.tenant_is_active && of.account_is_active,
        }
    }
}

/// Those of all her roles, each once.
fn scopes_of(words: &str) -> Vec<String> {
    let scopes: BTreeSet<&str> = words.split_whitespace().collect();
    scopes.into_iter().map(str::to_owned).collect()
}
