//! Giving a token under a grant (RFC 8693): everything is looked at again, and the giving is on the
//! record before the token is signed.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::model::{EndCause, Grant, ImpersonationId};
use super::policy::{self, Denial};
use super::service::{Agent, end, find_actor, find_subject, record, record_denial, told};
use super::store;
use crate::app::App;
use crate::audit::EventType;
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::ids::ClientId;
use crate::sessions::{Clocks, service as sessions};

/// What an actor stands on at this moment: all of it was just looked at.
#[derive(Debug)]
pub(crate) struct Ground {
    /// The grant, active.
    pub(crate) grant: Grant,
    /// As her clinic calls her.
    pub(crate) subject_name: String,
    /// Those of the subject's roles that carry something lent.
    pub(crate) roles: Vec<String>,
    /// Every scope that is lent.
    pub(crate) lent: Vec<String>,
    /// When a token that is given now ends.
    pub(crate) token_ends_at: OffsetDateTime,
    /// When the actor's own session ends: with it the grant does.
    pub(crate) clocks: Clocks,
    /// How long he may do nothing.
    pub(crate) idle_limit: Duration,
    /// How the actor signed in (RFC 8176).
    pub(crate) amr: Vec<String>,
    /// When he did.
    pub(crate) auth_time: OffsetDateTime,
}

/// What looking at a grant came to.
#[derive(Debug)]
pub(crate) enum Looked {
    /// It stands, held until the commit: what ends it comes after.
    Stands(Box<Ground>),
    /// No such grant of this actor's.
    Unknown,
    /// No, on the record.
    Denied(Denial),
}

/// What one token under `act` is made of; made by [`give`] alone.
#[derive(Debug)]
pub(crate) struct Lent {
    /// What it stands on.
    pub(crate) ground: Ground,
    /// What the token may.
    pub(crate) scopes: Vec<String>,
}

/// What an exchange came to.
#[derive(Debug)]
pub(crate) enum Exchanged {
    /// A token may be signed; its giving is on the record.
    Lent(Box<Lent>),
    /// No such grant of this actor's.
    Unknown,
    /// No, on the record.
    Denied(Denial),
    /// More was asked for than is lent (IMP-09).
    BeyondScope,
}

/// What a client asks for with a grant.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// The grant.
    pub(crate) id: ImpersonationId,
    /// Which scopes; `None`: all that there is.
    pub(crate) scopes: Option<Vec<String>>,
    /// What the client was registered with.
    pub(crate) registered: &'a [String],
    /// For which API, one of the client's.
    pub(crate) audience: &'a str,
}

/// Looks at everything again, under the authority of [`Authority::agent`]; goes on as who acts.
pub(crate) async fn look(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
    id: ImpersonationId,
) -> Result<Looked, StoreError> {
    let Some(place) = store::find_place(tx, agent.subject, id).await? else {
        return Ok(Looked::Unknown);
    };
    let actor = find_actor(tx, app, agent).await?;
    let session = match &actor {
        Some(actor) => Some(actor.facts.session),
        None => sessions::session_of(tx, agent.sid).await?,
    };
    tx.proceed(Authority::acting(agent.subject, place.0, place.1))
        .await?;
    let Some(grant) = store::find_held(tx, place.0, id).await? else {
        return Ok(Looked::Unknown);
    };
    let Some(actor) = actor else {
        // A sign-out that the start did not see; a token of another session of his says nothing of
        // the one that the grant started in.
        if session.is_some() && grant.actor_session == session {
            end(tx, (&app.env, &app.keys), &grant, EndCause::ActorSignedOut).await?;
        }
        record_denial(tx, app, agent, place, Some(id), Denial::ActorSessionOver).await?;
        return Ok(Looked::Denied(Denial::ActorSessionOver));
    };
    let Some((subject, lending)) = find_subject(tx, place, &actor, grant.preset).await? else {
        return Ok(Looked::Unknown);
    };
    let clocks = actor.standing.clocks();
    let session_ends_at = clocks.idle_ends_at.min(clocks.session_ends_at);
    let life = (app.env.now(), app.config.lifetimes.access_token);
    let of_actor = (&actor.facts, session_ends_at);
    let token_ends_at = match policy::token_ends_at(&grant, of_actor, &subject, life) {
        Ok(ends_at) => ends_at,
        Err(denial) => {
            record_denial(tx, app, agent, place, Some(id), denial).await?;
            return Ok(Looked::Denied(denial));
        }
    };
    let in_tenant = &actor.standing.in_tenant;
    Ok(Looked::Stands(Box::new(Ground {
        grant,
        subject_name: lending.display_name,
        roles: lending.roles,
        lent: lending.scopes,
        token_ends_at,
        clocks,
        idle_limit: actor.standing.limits.idle,
        amr: in_tenant.amr.clone(),
        auth_time: in_tenant.auth_time,
    })))
}

/// Records that a token is given, before it is signed.
pub(crate) async fn give(
    tx: &mut Tx<Identity>,
    app: &App,
    ground: Ground,
    (client, audience): (&ClientId, &str),
    scopes: Vec<String>,
) -> Result<Lent, StoreError> {
    let grant = &ground.grant;
    let mut detail = told(grant.actor, grant.subject, grant.id);
    detail["client_id"] = json!(client);
    detail["scopes"] = json!(scopes);
    detail["audience"] = json!(audience);
    record(tx, app, EventType::ImpersonationTokenIssued, detail).await?;
    Ok(Lent { ground, scopes })
}

/// Looks at everything again and records that a token is given, under the authority of
/// [`Authority::agent`].
pub(crate) async fn exchange(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
    asked: Asked<'_>,
) -> Result<Exchanged, StoreError> {
    let ground = match look(tx, app, agent, asked.id).await? {
        Looked::Stands(ground) => *ground,
        Looked::Unknown => return Ok(Exchanged::Unknown),
        Looked::Denied(denial) => return Ok(Exchanged::Denied(denial)),
    };
    let scopes = exchanged(&ground.lent, asked.registered, asked.scopes);
    let Some(scopes) = scopes else {
        return Ok(Exchanged::BeyondScope);
    };
    let to = (&agent.client, asked.audience);
    let lent = give(tx, app, ground, to, scopes).await?;
    Ok(Exchanged::Lent(Box::new(lent)))
}

/// The scopes of an exchange: all that is lent and registered, or exactly what was asked for;
/// `None` if that is nothing, or more than is lent (IMP-09).
fn exchanged(
    lent: &[String],
    registered: &[String],
    asked: Option<Vec<String>>,
) -> Option<Vec<String>> {
    let is_lent = |scope: &String| lent.contains(scope) && registered.contains(scope);
    let scopes = match asked {
        None => lent.iter().filter(|s| is_lent(s)).cloned().collect(),
        Some(asked) if asked.iter().all(is_lent) => asked,
        Some(_) => Vec::new(),
    };
    (!scopes.is_empty()).then_some(scopes)
}
