//! The session as one tenant sees it: opened, found by what its tokens say, kept alive.

use time::{Duration, OffsetDateTime};

use super::model::{Clocks, Limits, Session, TenantSession};
use super::policy;
use super::store::{self, StoredSession};
use crate::app::App;
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{SessionId, SubjectId, TenantId, TenantSessionId};

/// At most so many seconds may a second clinic's `auth_time` lie before the truth, so that it
/// joins nothing to the first one's. Earlier is the safe side: `max_age` is met later, never
/// sooner.
const AUTH_TIME_SKEW_SECONDS: u8 = 59;

/// The session as one tenant sees it, opened at its first use there; in a transaction of the
/// member. `just_proved`: she proved who she is in the very flow that asks.
pub async fn open_for_tenant(
    tx: &mut Tx<Identity>,
    app: &App,
    session: &Session,
    subject: SubjectId,
    just_proved: bool,
) -> Result<TenantSession, StoreError> {
    let skew = if just_proved {
        0
    } else {
        1 + app.env.random_bytes::<1>()[0] % AUTH_TIME_SKEW_SECONDS
    };
    let fresh = TenantSession {
        sid: TenantSessionId::from_uuid(app.env.random_uuid()),
        subject,
        auth_time: whole_second(session.authenticated_with_all_at())
            - Duration::seconds(skew.into()),
        amr: session.amr.clone(),
        opened_at: app.env.now(),
        ended_at: None,
    };
    let tenant = tx.tenant()?;
    store::open_tenant_session(tx, tenant, session.id, &fresh, just_proved).await
}

/// The session as the transaction's tenant saw it before, if it did.
pub async fn find_for_tenant(
    tx: &mut Tx<Identity>,
    session: SessionId,
) -> Result<Option<TenantSession>, StoreError> {
    let tenant = tx.tenant()?;
    store::find_tenant_session(tx, tenant, session).await
}

/// A session found by what a tenant's tokens say of it, with the limits that hold for it now.
#[derive(Debug)]
pub struct Standing {
    /// It.
    pub session: Session,
    /// As this tenant sees it.
    pub in_tenant: TenantSession,
    /// The strictest limits now.
    pub limits: Limits,
}

/// The standing session behind a `sid`, in a transaction of that tenant; `None` if it ended, there
/// or altogether.
/// The clocks are the caller's to check with `limits`.
pub async fn find_by_sid(
    tx: &mut Tx<Identity>,
    app: &App,
    sid: TenantSessionId,
    client_app: &str,
) -> Result<Option<Standing>, StoreError> {
    let tenant = tx.tenant()?;
    let Some((id, in_tenant)) = store::find_by_sid(tx, tenant, sid).await? else {
        return Ok(None);
    };
    stand(tx, app, id, in_tenant, client_app).await
}

/// Which session a `sid` of the transaction's tenant is part of, ended or not.
pub async fn session_of(
    tx: &mut Tx<Identity>,
    sid: TenantSessionId,
) -> Result<Option<SessionId>, StoreError> {
    let tenant = tx.tenant()?;
    Ok(store::find_by_sid(tx, tenant, sid)
        .await?
        .map(|(session, _)| session))
}

async fn stand(
    tx: &mut Tx<Identity>,
    app: &App,
    id: SessionId,
    in_tenant: TenantSession,
    client_app: &str,
) -> Result<Option<Standing>, StoreError> {
    if in_tenant.ended_at.is_some() {
        return Ok(None);
    }
    let Some(StoredSession {
        session,
        stands: true,
        ..
    }) = store::find(tx, id).await?
    else {
        return Ok(None);
    };
    let limits = limits(tx, app, in_tenant.subject, client_app).await?;
    Ok(Some(Standing {
        session,
        in_tenant,
        limits,
    }))
}

/// The standing session of that id as the transaction's tenant sees it; `None` if it ended or was
/// never opened there. The clocks are the caller's to check with [`Standing::clocks`].
pub async fn find_in_tenant(
    tx: &mut Tx<Identity>,
    app: &App,
    session: SessionId,
    client_app: &str,
) -> Result<Option<Standing>, StoreError> {
    let tenant = tx.tenant()?;
    let Some(in_tenant) = store::find_tenant_session(tx, tenant, session).await? else {
        return Ok(None);
    };
    stand(tx, app, session, in_tenant, client_app).await
}

/// The session behind a grant, with what a refusal tells apart.
#[derive(Debug)]
pub struct Inspected {
    /// It, standing or not, with its limits.
    pub standing: Standing,
    /// Signed out, ended from elsewhere, or ended by the tenant for itself.
    pub is_ended: bool,
    /// Whether the account may sign in at all.
    pub account_is_active: bool,
    /// The account's password epoch now; the session's own may be older.
    pub account_password_epoch: i32,
}

impl Inspected {
    /// It, if it has not ended, of an active account, of the account's present password epoch.
    pub(crate) fn stands(self) -> Option<Standing> {
        let is_of_epoch = self.standing.session.password_epoch == self.account_password_epoch;
        (!self.is_ended && self.account_is_active && is_of_epoch).then_some(self.standing)
    }
}

/// The session that a grant of the transaction's tenant hangs on, even one that ended; `None` if
/// there is none such.
pub async fn inspect(
    tx: &mut Tx<Identity>,
    app: &App,
    session: SessionId,
    client_app: &str,
) -> Result<Option<Inspected>, StoreError> {
    let tenant = tx.tenant()?;
    let Some(in_tenant) = store::find_tenant_session(tx, tenant, session).await? else {
        return Ok(None);
    };
    let Some(stored) = store::find(tx, session).await? else {
        return Ok(None);
    };
    let limits = limits(tx, app, in_tenant.subject, client_app).await?;
    Ok(Some(Inspected {
        is_ended: stored.is_ended || in_tenant.ended_at.is_some(),
        account_is_active: stored.account_is_active,
        account_password_epoch: stored.account_epoch,
        standing: Standing {
            session: stored.session,
            in_tenant,
            limits,
        },
    }))
}

/// The strictest limits of platform, roles, tenant and app for a member, at this moment.
pub async fn limits(
    tx: &mut Tx<Identity>,
    app: &App,
    subject: SubjectId,
    client_app: &str,
) -> Result<Limits, StoreError> {
    let tenant: TenantId = tx.tenant()?;
    let others = store::limits(tx, tenant, subject, client_app).await?;
    Ok(policy::strictest(platform_limits(app), others))
}

/// The longest that any session goes on.
pub fn platform_limits(app: &App) -> Limits {
    let platform = app.config.session;
    Limits {
        idle: platform.idle,
        absolute: platform.absolute,
    }
}

impl Standing {
    /// When it ends for this tenant.
    pub fn clocks(&self) -> Clocks {
        policy::clocks(&self.session, self.in_tenant.opened_at, self.limits)
    }
}

/// Notes that the person did something at `at`; false if that moves nothing: not forward, in the
/// future, or after the session had ended. Two at the same moment are tried twice.
pub async fn note_activity(
    tx: &mut Tx<Identity>,
    app: &App,
    standing: &Standing,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let mut session = standing.session.clone();
    for _ in 0..2 {
        let opened_at = standing.in_tenant.opened_at;
        if !policy::moves_idle(&session, opened_at, standing.limits, at, app.env.now()) {
            return Ok(false);
        }
        let silences = policy::silences_after(&session, at);
        if store::mark_active(tx, &session, &silences, at).await? {
            return Ok(true);
        }
        match store::find(tx, session.id).await? {
            Some(StoredSession {
                session: moved,
                stands: true,
                ..
            }) => session = moved,
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// `NumericDate` claims are whole seconds; rounded down, so never in the future.
fn whole_second(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).expect("zero is a nanosecond")
}
