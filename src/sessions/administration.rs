//! Saving what a clinic asks of its sessions, and ending them for it.

use serde_json::json;
use time::OffsetDateTime;

use super::model::Limits;
use super::policy::{self, ContradictoryPolicy};
use super::store;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, Job, StoreError, Tx};
use crate::ids::{SessionId, TenantId};

/// Saves a tenant's own limits, for all its members in every app; live sessions are held to them
/// at their next use. A contradictory policy is refused and changes nothing.
pub async fn save_tenant_limits(
    app: &App,
    tenant: TenantId,
    limits: Limits,
) -> Result<Result<(), ContradictoryPolicy>, StoreError> {
    let ceiling = app.config.session;
    let platform = Limits {
        idle: ceiling.idle,
        absolute: ceiling.absolute,
    };
    if let Err(contradiction) = policy::may_save(limits, platform) {
        return Ok(Err(contradiction));
    }
    let authority = Authority::<Identity>::job_in(Job::AdministerAccounts, tenant);
    let saving = app.db.run(authority, async |tx| {
        store::save_tenant_limits(tx, tenant, limits).await?;
        let detail = json!({
            "applies_to": "tenant",
            "idle_seconds": limits.idle.whole_seconds(),
            "absolute_seconds": limits.absolute.whole_seconds(),
        });
        audit::append(
            tx,
            &app.env,
            &app.keys,
            EventType::SessionPolicyChanged,
            detail,
        )
        .await
    });
    saving.await?;
    Ok(Ok(()))
}

/// Some sessions of a clinic, in the order of their ids.
#[derive(Debug)]
pub(crate) struct EndedPage {
    /// Those that it had, all of them ended for it now.
    pub(crate) sessions: Vec<SessionId>,
    /// Those that had not been before.
    pub(crate) ended: Vec<SessionId>,
}

/// Ends at most so many of the sessions that the transaction's tenant had at `until`, after this
/// one, for that tenant alone. Elsewhere they go on.
pub(crate) async fn end_page(
    tx: &mut Tx<Identity>,
    until: OffsetDateTime,
    after: SessionId,
    most: i64,
) -> Result<EndedPage, StoreError> {
    let tenant = tx.tenant()?;
    let sessions = store::list_in_tenant(tx, tenant, until, after, most).await?;
    let ended = store::mark_ended_in_tenant(tx, tenant, &sessions, until).await?;
    Ok(EndedPage { sessions, ended })
}
