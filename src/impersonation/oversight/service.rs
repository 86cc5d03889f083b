//! Looking at all grants, and ending them. Each function runs in a transaction of
//! [`Authority::overseer`].

use serde_json::json;

use super::store;
use crate::app::App;
use crate::audit::EventType;
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::ids::{SubjectId, TenantId};
use crate::impersonation::model::{Grant, ImpersonationId, Opened};
use crate::impersonation::service::record;

/// All that are not over, then the newest that are; and what was opened under them.
pub(crate) async fn list(tx: &mut Tx<Identity>) -> Result<(Vec<Grant>, Vec<Opened>), StoreError> {
    let mut grants = store::list_open(tx).await?;
    grants.extend(store::list_over(tx).await?);
    let ids: Vec<_> = grants.iter().map(|grant| grant.id).collect();
    let opened = store::list_opened(tx, &ids).await?;
    Ok((grants, opened))
}

/// Ends one grant, or all that are not over; says how many. `None`: there is no such grant. One
/// that is over stays as it is.
pub(crate) async fn stop(
    tx: &mut Tx<Identity>,
    app: &App,
    overseer: SubjectId,
    which: Option<ImpersonationId>,
) -> Result<Option<u64>, StoreError> {
    if let Some(id) = which
        && !store::exists(tx, id).await?
    {
        return Ok(None);
    }
    let count = store::end_open(tx, which, app.env.now()).await?;
    tx.proceed(Authority::caller(TenantId::PLATFORM, overseer))
        .await?;
    let detail = json!({ "impersonation": which, "count": count });
    record(tx, app, EventType::ImpersonationStopped, detail).await?;
    Ok(Some(count))
}
