//! What runs out, and what an operator does.

use serde_json::json;
use time::OffsetDateTime;

use super::model::{EndCause, Grant, ImpersonationId, Rule, State};
use super::service::{end, record, told};
use super::store::{self, Unsettled};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, Job, StoreError, Tx};
use crate::env::Env;
use crate::ids::TenantId;
use crate::secret::Keys;

/// Ends what ran out, and records every end that is not in the log yet: those that the database's
/// triggers made. Says how many. Safe on every replica at once: each is settled by one of them.
///
/// # Errors
/// [`StoreError`]; what was settled until then stays so.
pub async fn settle(app: &App) -> Result<usize, StoreError> {
    let authority = Authority::<Identity>::job(Job::AdministerImpersonation).read_only();
    let now = app.env.now();
    let unsettled = app
        .db
        .run(authority, async |tx| store::list_unsettled(tx, now).await)
        .await?;
    let mut count = 0;
    for one in &unsettled {
        count += usize::from(settle_one(app, one).await?);
    }
    Ok(count)
}

async fn settle_one(app: &App, one: &Unsettled) -> Result<bool, StoreError> {
    let (tenant, id) = (one.tenant, one.id);
    let authority = Authority::acting(one.actor, tenant, one.subject);
    app.db
        .run(authority, async |tx| {
            let Some((state, cause)) = store::settle(tx, (tenant, id), app.env.now()).await? else {
                return Ok(false);
            };
            let event = if state == State::Expired {
                EventType::ImpersonationExpired
            } else {
                EventType::ImpersonationEnded
            };
            let mut detail = told(one.actor, one.subject, id);
            detail["cause"] = json!(cause.as_str());
            record(tx, app, event, detail).await?;
            Ok(true)
        })
        .await
}

/// Says what a clinic lets support do; false if it is so already. What stands under a laxer rule
/// ends with it. In a transaction of that clinic.
pub(crate) async fn save_rule(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    (tenant, rule): (TenantId, Rule),
) -> Result<bool, StoreError> {
    let is_changed = store::put_rule(tx, tenant, rule, env.now()).await?;
    if is_changed {
        let detail = json!({ "rule": rule.as_str() });
        let event = EventType::ImpersonationPolicyChanged;
        audit::append(tx, env, keys, event, detail).await?;
    }
    Ok(is_changed)
}

/// What a clinic lets support do, and its newest grants.
pub(crate) async fn look(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
) -> Result<(Rule, Vec<Grant>), StoreError> {
    let rule = store::find_rule(tx, tenant).await?;
    Ok((rule, store::list(tx, tenant, None).await?))
}

/// Ends what was asked for until then and is not over: a clinic's grants, or all if it is the
/// platform's own tenant, whose members act. Goes on as the job of its own; the events follow
/// ([`settle`]). Says how many.
pub(crate) async fn end_asked_until(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    until: OffsetDateTime,
) -> Result<u64, StoreError> {
    let job = Job::AdministerImpersonation;
    let (authority, of) = if tenant == TenantId::PLATFORM {
        (Authority::job(job), None)
    } else {
        (Authority::job_in(job, tenant), Some(tenant))
    };
    tx.proceed(authority).await?;
    store::end_asked_until(tx, of, until).await
}

/// Ends one grant of a clinic, or all; says how many were not over.
pub(crate) async fn end_by_operator(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    (tenant, id): (TenantId, Option<ImpersonationId>),
) -> Result<usize, StoreError> {
    let mut ended = 0;
    for grant in store::list_open(tx, tenant, id).await? {
        ended += usize::from(end(tx, (env, keys), &grant, EndCause::Operator).await?);
    }
    Ok(ended)
}
