//! Saving what a clinic asks of its sessions.

use serde_json::json;

use super::model::Limits;
use super::policy::{self, ContradictoryPolicy};
use super::store;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, Job, StoreError};
use crate::ids::TenantId;

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
