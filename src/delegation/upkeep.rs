//! What runs out.

use serde_json::json;

use super::letters;
use super::service::{record, told};
use super::store::{self, Unsettled};
use crate::app::App;
use crate::audit::EventType;
use crate::db::{Authority, Identity, Job, StoreError, Tx};

/// Ends what ran out, and records every end that is not in the log yet: those that the database's
/// triggers made. Says how many. Safe on every replica at once: each is settled by one of them.
///
/// # Errors
/// [`StoreError`]; what was settled until then stays so.
pub async fn settle(app: &App) -> Result<usize, StoreError> {
    let authority = Authority::<Identity>::job(Job::AdministerDelegations).read_only();
    let now = app.env.now();
    let unsettled = app
        .db
        .run(authority, async |tx| store::list_unsettled(tx, now).await)
        .await?;
    let mut count = 0;
    for one in &unsettled {
        let authority = Authority::job_in(Job::AdministerDelegations, one.tenant);
        let run = app
            .db
            .run(authority, async |tx| settle_one(tx, app, one).await);
        count += usize::from(run.await?);
    }
    Ok(count)
}

/// Settles one in a transaction of its clinic; false if another did.
pub(super) async fn settle_one(
    tx: &mut Tx<Identity>,
    app: &App,
    one: &Unsettled,
) -> Result<bool, StoreError> {
    let Some(cause) = store::settle(tx, (one.tenant, one.id), app.env.now()).await? else {
        return Ok(false);
    };
    let mut detail = told(one.id, one.patient, one.proxy);
    detail["cause"] = json!(cause.as_str());
    record(tx, app, EventType::DelegationEnded, detail).await?;
    letters::tell_ended(tx, app, (one.tenant, one.id)).await?;
    Ok(true)
}
