//! Asking to act, and starting. A refusal commits, with its event.
//!
//! Answers of the clinic: [`super::answers`]; tokens: [`super::exchange`]; what runs out:
//! [`super::upkeep`].

use serde_json::{Value, json};

use super::model::{
    ASKS_WITHIN, EndCause, Grant, ImpersonationId, MOST_ASKS, Preset, Rule, State, Wanted,
};
use super::policy::{self, ActorFacts, Denial, SubjectFacts};
use super::store::{self, Lending, NewGrant};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::outbox::{self, MailKind};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::env::Env;
use crate::identity::membership::{Member, store as membership};
use crate::ids::{ClientId, SubjectId, TenantId, TenantSessionId};
use crate::secret::Keys;
use crate::sessions::service::{self as sessions, Standing};

/// Who speaks for the platform: what his verified access token says.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    /// His membership of the platform's tenant.
    pub(crate) subject: SubjectId,
    /// His session there.
    pub(crate) sid: TenantSessionId,
    /// The app that he uses.
    pub(crate) client: ClientId,
    /// Whether the token was given under `act`.
    pub(crate) is_acting: bool,
}

/// What something that was asked came to.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// Done.
    Done(T),
    /// There is no such member or grant, or none of the caller's.
    Unknown,
    /// No, on the record.
    Denied(Denial),
}

/// What a request to act came to.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It was heard.
    Heard(Box<Answer<Grant>>),
    /// Not yet, on the record: the actor asked as often as he may for so many seconds.
    TooOften { again_in: i64 },
}

/// The actor, with what his tokens would be made of.
pub(super) struct Actor {
    pub(super) facts: ActorFacts,
    member: Member,
    pub(super) standing: Standing,
}

/// Goes on in the platform's tenant; `None`: his session is over.
pub(super) async fn find_actor(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
) -> Result<Option<Actor>, StoreError> {
    tx.proceed(Authority::presented_in(TenantId::PLATFORM))
        .await?;
    let Some(standing) = sessions::find_by_sid(tx, app, agent.sid, "").await? else {
        return Ok(None);
    };
    if standing.in_tenant.subject != agent.subject {
        return Ok(None);
    }
    let Some(member) = membership::find(tx, TenantId::PLATFORM, agent.subject).await? else {
        return Ok(None);
    };
    let facts = ActorFacts {
        account: standing.session.account,
        is_active: member.is_active,
        is_lent: store::is_lent(tx, &member.roles).await?,
        is_acting: agent.is_acting,
        session: standing.session.id,
        session_is_live: standing.clocks().is_live(app.env.now()),
        factor_proved_at: standing.session.factor_proved_at,
    };
    Ok(Some(Actor {
        facts,
        member,
        standing,
    }))
}

/// Whom he would act as, in her clinic's transaction; `None`: no such member there.
pub(super) async fn find_subject(
    tx: &mut Tx<Identity>,
    (tenant, subject): (TenantId, SubjectId),
    actor: &Actor,
    preset: Preset,
) -> Result<Option<(SubjectFacts, Lending)>, StoreError> {
    let Some(member) = membership::find(tx, tenant, subject).await? else {
        return Ok(None);
    };
    let roles = &actor.member.roles;
    let Some(lending) = store::find_lending(tx, (tenant, subject), roles, preset).await? else {
        return Ok(None);
    };
    let facts = SubjectFacts {
        account: lending.account_id,
        tenant,
        is_active: member.is_active,
        may_be_acted_as: lending.may_be_acted_as,
        lends_anything: !lending.scopes.is_empty(),
        rule: store::find_rule(tx, tenant).await?,
    };
    Ok(Some((facts, lending)))
}

/// Asks to act as a member of a clinic. Where the clinic allows it the grant may start at once.
pub(crate) async fn request(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
    wanted: &Wanted,
) -> Result<Asked, StoreError> {
    let whom = (wanted.tenant, wanted.subject);
    let asked_at = store::find_asked_at(tx, agent.subject, MOST_ASKS).await?;
    let Some(actor) = find_actor(tx, app, agent).await? else {
        let denied = deny(tx, app, agent, whom, None, Denial::ActorSessionOver).await?;
        return Ok(Asked::Heard(denied.into()));
    };
    let again_in = asked_at.map_or(0, |at| (at + ASKS_WITHIN - app.env.now()).whole_seconds());
    if again_in > 0 {
        record_denial(tx, app, agent, whom, None, Denial::AskedTooOften).await?;
        return Ok(Asked::TooOften { again_in });
    }
    let answer = hear(tx, app, agent, &actor, wanted).await?;
    Ok(Asked::Heard(answer.into()))
}

/// What is asked by somebody who may ask.
async fn hear(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
    actor: &Actor,
    wanted: &Wanted,
) -> Result<Answer<Grant>, StoreError> {
    let whom = (wanted.tenant, wanted.subject);
    tx.proceed(Authority::acting(agent.subject, whom.0, whom.1))
        .await?;
    let Some((subject, _)) = find_subject(tx, whom, actor, wanted.preset).await? else {
        // In the platform's log: the clinic has no such person.
        tx.proceed(Authority::caller(TenantId::PLATFORM, agent.subject))
            .await?;
        let detail = denied(agent, whom, None, "unknown_subject");
        record(tx, app, EventType::ImpersonationDenied, detail).await?;
        return Ok(Answer::Unknown);
    };
    if let Err(denial) = policy::may_act(&actor.facts, &subject) {
        return deny(tx, app, agent, whom, None, denial).await;
    }
    let id = ImpersonationId::from_uuid(app.env.random_uuid());
    let new = NewGrant {
        id,
        wanted,
        account: subject.account,
        actor: (
            agent.subject,
            actor.facts.account,
            &actor.member.display_name,
        ),
        client: &agent.client,
        rule: subject.rule,
        at: app.env.now(),
    };
    store::insert(tx, &new).await?;
    let mut detail = told(agent.subject, whom.1, id);
    detail["ticket"] = json!(wanted.ticket.as_str());
    detail["preset"] = json!(wanted.preset.as_str());
    detail["minutes"] = json!(wanted.minutes.count());
    detail["rule"] = json!(subject.rule.as_str());
    record(tx, app, EventType::ImpersonationRequested, detail).await?;
    if subject.rule == Rule::ConsentOfUser {
        let clinic = clinic_name(tx, whom.0).await?;
        let mail = MailKind::SupportAsks { clinic };
        outbox::post(tx, &app.env, subject.account, &mail).await?;
    }
    found(tx, whom.0, id).await.map(Answer::Done)
}

/// Starts an approved grant, in the actor's present session. The person is told.
pub(crate) async fn start(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
    id: ImpersonationId,
) -> Result<Answer<Grant>, StoreError> {
    let Some(place) = store::find_place(tx, agent.subject, id).await? else {
        return Ok(Answer::Unknown);
    };
    let actor = find_actor(tx, app, agent).await?;
    tx.proceed(Authority::acting(agent.subject, place.0, place.1))
        .await?;
    let Some(grant) = store::find_held(tx, place.0, id).await? else {
        return Ok(Answer::Unknown);
    };
    let Some(actor) = actor else {
        return deny(tx, app, agent, place, Some(id), Denial::ActorSessionOver).await;
    };
    let Some((subject, _)) = find_subject(tx, place, &actor, grant.preset).await? else {
        return Ok(Answer::Unknown);
    };
    let now = app.env.now();
    if let Err(denial) = policy::may_start(&grant, &actor.facts, &subject, now) {
        return deny(tx, app, agent, place, Some(id), denial).await;
    }
    if !store::mark_started(tx, (place.0, id), actor.facts.session, now).await? {
        return deny(tx, app, agent, place, Some(id), Denial::WrongState).await;
    }
    let mut detail = told(agent.subject, place.1, id);
    detail["minutes"] = json!(grant.minutes);
    detail["preset"] = json!(grant.preset.as_str());
    record(tx, app, EventType::ImpersonationStarted, detail).await?;
    let mail = MailKind::SupportActs {
        clinic: clinic_name(tx, place.0).await?,
        minutes: grant.minutes,
    };
    outbox::post(tx, &app.env, grant.account, &mail).await?;
    found(tx, place.0, id).await.map(Answer::Done)
}

/// Ends a grant of the transaction's tenant, with its event; false if it was over.
pub(super) async fn end(
    tx: &mut Tx<Identity>,
    (env, keys): (&Env, &Keys),
    grant: &Grant,
    cause: EndCause,
) -> Result<bool, StoreError> {
    let at = (grant.tenant, grant.id);
    let is_ended = store::mark_ended(tx, at, (State::Ended, cause), env.now()).await?;
    if is_ended {
        let mut detail = told(grant.actor, grant.subject, grant.id);
        detail["cause"] = json!(cause.as_str());
        audit::append(tx, env, keys, EventType::ImpersonationEnded, detail).await?;
    }
    Ok(is_ended)
}

/// One that was just written.
pub(super) async fn found(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: ImpersonationId,
) -> Result<Grant, StoreError> {
    let grant = store::find_held(tx, tenant, id).await?;
    grant.ok_or(StoreError::Corrupt {
        table: "identity.impersonation",
        what: "a grant is not there after it was written",
    })
}

async fn clinic_name(tx: &mut Tx<Identity>, tenant: TenantId) -> Result<String, StoreError> {
    let clinic = membership::find_clinic_by_id(tx, tenant).await?;
    Ok(clinic.map(|clinic| clinic.name).unwrap_or_default())
}

async fn deny<T>(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
    whom: (TenantId, SubjectId),
    id: Option<ImpersonationId>,
    denial: Denial,
) -> Result<Answer<T>, StoreError> {
    record_denial(tx, app, agent, whom, id, denial).await?;
    Ok(Answer::Denied(denial))
}

/// In the log of the transaction's tenant.
pub(super) async fn record_denial(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
    whom: (TenantId, SubjectId),
    id: Option<ImpersonationId>,
    denial: Denial,
) -> Result<(), StoreError> {
    let detail = denied(agent, whom, id, denial.word());
    record(tx, app, EventType::ImpersonationDenied, detail).await
}

fn denied(
    agent: &Agent,
    (tenant, subject): (TenantId, SubjectId),
    id: Option<ImpersonationId>,
    reason: &str,
) -> Value {
    json!({
        "impersonation": id, "actor": agent.subject, "tenant": tenant, "subject_id": subject,
        "reason": reason,
    })
}

/// Who acts, as whom, under which grant: in every event, whoever causes it.
pub(crate) fn told(actor: SubjectId, subject: SubjectId, id: ImpersonationId) -> Value {
    json!({ "impersonation": id, "actor": actor, "subject_id": subject })
}

pub(super) async fn record(
    tx: &mut Tx<Identity>,
    app: &App,
    event: EventType,
    detail: Value,
) -> Result<(), StoreError> {
    audit::append(tx, &app.env, &app.keys, event, detail).await
}
