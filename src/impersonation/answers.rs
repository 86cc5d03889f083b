//! What the clinic and its people do about a grant: say yes or no, end it, see what was opened.

use serde_json::json;
use time::OffsetDateTime;

use super::model::{Acted, EndCause, Grant, ImpersonationId, Opened, Recorded, Rule, State};
use super::policy::{self, Denial};
use super::service::{Answer, end, found, record, told};
use super::store;
use crate::app::App;
use crate::audit::EventType;
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::membership::store as membership;
use crate::ids::{AccountId, ClientId, SessionId, SubjectId, TenantId};

/// Somebody of the clinic, in whose transaction an answer is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clinical {
    /// The clinic.
    pub(crate) tenant: TenantId,
    /// Who.
    pub(crate) subject: SubjectId,
    /// Whether the answer is the person's own, on her page; else an administrator's.
    pub(crate) is_subject: bool,
}

/// Says yes to a request.
pub(crate) async fn approve(
    tx: &mut Tx<Identity>,
    app: &App,
    by: Clinical,
    id: ImpersonationId,
) -> Result<Answer<Grant>, StoreError> {
    let Some((grant, account)) = concerning(tx, by, id).await? else {
        return Ok(Answer::Unknown);
    };
    let now = app.env.now();
    if let Err(denial) = policy::may_approve(&grant, account, by.is_subject, now) {
        return Ok(Answer::Denied(denial));
    }
    if !store::mark_approved(tx, (by.tenant, id), by.subject, now).await? {
        return Ok(Answer::Denied(Denial::WrongState));
    }
    let mut detail = told(grant.actor, grant.subject, id);
    detail["rule"] = json!(grant.rule.as_str());
    record(tx, app, EventType::ImpersonationApproved, detail).await?;
    found(tx, by.tenant, id).await.map(Answer::Done)
}

/// Says no to a request.
pub(crate) async fn refuse(
    tx: &mut Tx<Identity>,
    app: &App,
    by: Clinical,
    id: ImpersonationId,
) -> Result<Answer<Grant>, StoreError> {
    let Some((grant, _)) = concerning(tx, by, id).await? else {
        return Ok(Answer::Unknown);
    };
    let over = (State::Refused, by.cause());
    if !store::mark_ended(tx, (by.tenant, id), over, app.env.now()).await? {
        return Ok(Answer::Denied(Denial::WrongState));
    }
    let mut detail = told(grant.actor, grant.subject, id);
    detail["cause"] = json!(by.cause().as_str());
    record(tx, app, EventType::ImpersonationRefused, detail).await?;
    found(tx, by.tenant, id).await.map(Answer::Done)
}

/// Ends a grant from the clinic's side; one that is over stays as it is.
pub(crate) async fn end_by_clinic(
    tx: &mut Tx<Identity>,
    app: &App,
    by: Clinical,
    id: ImpersonationId,
) -> Result<Answer<Grant>, StoreError> {
    let Some((grant, _)) = concerning(tx, by, id).await? else {
        return Ok(Answer::Unknown);
    };
    end(tx, (&app.env, &app.keys), &grant, by.cause()).await?;
    found(tx, by.tenant, id).await.map(Answer::Done)
}

/// The same from the actor's, in a transaction of [`Authority::agent`].
pub(crate) async fn end_by_actor(
    tx: &mut Tx<Identity>,
    app: &App,
    actor: SubjectId,
    id: ImpersonationId,
) -> Result<Answer<Grant>, StoreError> {
    let Some((tenant, subject)) = store::find_place(tx, actor, id).await? else {
        return Ok(Answer::Unknown);
    };
    tx.proceed(Authority::acting(actor, tenant, subject))
        .await?;
    let Some(grant) = store::find_held(tx, tenant, id).await? else {
        return Ok(Answer::Unknown);
    };
    end(tx, (&app.env, &app.keys), &grant, EndCause::Actor).await?;
    found(tx, tenant, id).await.map(Answer::Done)
}

/// Ends a grant of a clinic for `cause`, whoever finds it, in a transaction of that clinic; false
/// if it was over.
pub(crate) async fn end_for(
    tx: &mut Tx<Identity>,
    app: &App,
    (tenant, id): (TenantId, ImpersonationId),
    cause: EndCause,
) -> Result<bool, StoreError> {
    let Some(grant) = store::find_held(tx, tenant, id).await? else {
        return Ok(false);
    };
    tx.proceed(Authority::acting(grant.actor, tenant, grant.subject))
        .await?;
    end(tx, (&app.env, &app.keys), &grant, cause).await
}

/// In which session of the actor's a grant that stands at `at` started, in a transaction of its
/// clinic.
pub(crate) async fn find_actor_session(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, ImpersonationId),
    at: OffsetDateTime,
) -> Result<Option<SessionId>, StoreError> {
    let held = store::find_held(tx, tenant, id).await?;
    let standing = held.filter(|grant| grant.stands(at));
    Ok(standing.and_then(|grant| grant.actor_session))
}

/// What who acts under a grant is called, in a transaction of its clinic.
pub(crate) async fn actor_name(
    tx: &mut Tx<Identity>,
    (tenant, id): (TenantId, ImpersonationId),
) -> Result<Option<String>, StoreError> {
    let held = store::find_held(tx, tenant, id).await?;
    Ok(held.map(|grant| grant.actor_name))
}

/// The newest grants of a clinic, in its transaction, with what was opened.
pub(crate) async fn list_of_clinic(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
) -> Result<(Vec<Grant>, Vec<Opened>), StoreError> {
    let grants = store::list(tx, tenant, None).await?;
    let opened = opened_under(tx, tenant, &grants).await?;
    Ok((grants, opened))
}

/// Those of one member, the same.
pub(crate) async fn list_of_member(
    tx: &mut Tx<Identity>,
    (tenant, subject): (TenantId, SubjectId),
) -> Result<(Vec<Grant>, Vec<Opened>), StoreError> {
    let grants = store::list(tx, tenant, Some(subject)).await?;
    let opened = opened_under(tx, tenant, &grants).await?;
    Ok((grants, opened))
}

/// [`State::Active`] or [`State::Requested`], if the person acts upon it on her page.
pub(crate) fn asks_or_acts(grant: &Grant) -> Option<State> {
    let asks_her = grant.state == State::Requested && grant.rule == Rule::ConsentOfUser;
    (asks_her || grant.state == State::Active).then_some(grant.state)
}

/// The actor's own, in a transaction of [`Authority::agent`].
pub(crate) async fn list_of_actor(
    tx: &mut Tx<Identity>,
    actor: SubjectId,
) -> Result<Vec<Grant>, StoreError> {
    store::list_of_actor(tx, actor).await
}

async fn opened_under(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    grants: &[Grant],
) -> Result<Vec<Opened>, StoreError> {
    let ids: Vec<_> = grants.iter().map(|grant| grant.id).collect();
    store::list_opened(tx, tenant, &ids).await
}

/// Records a request that an API answered, or is about to answer, under `act`: in the log, and for
/// the person to see. In a transaction of the clinic.
pub(crate) async fn record_acted(
    tx: &mut Tx<Identity>,
    app: &App,
    (tenant, id): (TenantId, ImpersonationId),
    (api, acted): (&ClientId, &Acted),
) -> Result<Recorded, StoreError> {
    let held = store::find_held(tx, tenant, id).await?;
    let Some(grant) = held else {
        return Ok(Recorded::Unknown);
    };
    if !acted.is_answered() && !grant.stands(app.env.now()) {
        return Ok(Recorded::Over);
    }
    tx.proceed(Authority::acting(grant.actor, tenant, grant.subject))
        .await?;
    store::count_opened(tx, (tenant, id), acted).await?;
    let mut detail = told(grant.actor, grant.subject, id);
    acted.tell(api, &mut detail);
    record(tx, app, EventType::ImpersonationRequestRecorded, detail).await?;
    Ok(Recorded::Yes)
}

impl Clinical {
    const fn cause(self) -> EndCause {
        if self.is_subject {
            EndCause::Subject
        } else {
            EndCause::Clinic
        }
    }
}

/// A grant that concerns whoever speaks, held, and the speaker's account.
async fn concerning(
    tx: &mut Tx<Identity>,
    by: Clinical,
    id: ImpersonationId,
) -> Result<Option<(Grant, AccountId)>, StoreError> {
    let account = membership::find_account(tx, by.tenant, by.subject).await?;
    let grant = store::find_held(tx, by.tenant, id).await?;
    let is_concerned = |grant: &Grant| !by.is_subject || grant.subject == by.subject;
    Ok(grant.filter(is_concerned).zip(account))
}
