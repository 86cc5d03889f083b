//! Giving a token under a grant (RFC 8693): everything is looked at again, and the giving is on the
//! record before the token is signed.

use serde_json::json;
use time::OffsetDateTime;

use super::model::{EndCause, Grant, ImpersonationId};
use super::policy::{self, Denial};
use super::service::{Agent, end, find_actor, find_subject, record, record_denial, told};
use super::store;
use crate::app::App;
use crate::audit::EventType;
use crate::db::{Authority, Identity, StoreError, Tx};

/// What one token under `act` is made of.
#[derive(Debug)]
pub(crate) struct Lent {
    /// The grant, active.
    pub(crate) grant: Grant,
    /// Those of the subject's roles that carry something lent.
    pub(crate) roles: Vec<String>,
    /// What the token may.
    pub(crate) scopes: Vec<String>,
    /// When it ends.
    pub(crate) ends_at: OffsetDateTime,
    /// How the actor signed in (RFC 8176).
    pub(crate) amr: Vec<String>,
    /// When he did.
    pub(crate) auth_time: OffsetDateTime,
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

/// Looks at everything again and records that a token is given, under the authority of
/// [`Authority::agent`]. The grant is held until the commit: what ends it comes after the token.
pub(crate) async fn exchange(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
    asked: Asked<'_>,
) -> Result<Exchanged, StoreError> {
    let id = asked.id;
    let Some(place) = store::find_place(tx, agent.subject, id).await? else {
        return Ok(Exchanged::Unknown);
    };
    let actor = find_actor(tx, app, agent).await?;
    tx.proceed(Authority::acting(agent.subject, place.0, place.1))
        .await?;
    let Some(grant) = store::find_held(tx, place.0, id).await? else {
        return Ok(Exchanged::Unknown);
    };
    let Some(actor) = actor else {
        // A sign-out that the start did not see.
        end(tx, (&app.env, &app.keys), &grant, EndCause::ActorSignedOut).await?;
        record_denial(tx, app, agent, place, Some(id), Denial::ActorSessionOver).await?;
        return Ok(Exchanged::Denied(Denial::ActorSessionOver));
    };
    let Some((subject, lending)) = find_subject(tx, place, &actor, grant.preset).await? else {
        return Ok(Exchanged::Unknown);
    };
    let clocks = actor.standing.clocks();
    let session_ends_at = clocks.idle_ends_at.min(clocks.session_ends_at);
    let life = (app.env.now(), app.config.lifetimes.access_token);
    let of_actor = (&actor.facts, session_ends_at);
    let ends_at = match policy::token_ends_at(&grant, of_actor, &subject, life) {
        Ok(ends_at) => ends_at,
        Err(denial) => {
            record_denial(tx, app, agent, place, Some(id), denial).await?;
            return Ok(Exchanged::Denied(denial));
        }
    };
    let is_lent =
        |scope: &String| lending.scopes.contains(scope) && asked.registered.contains(scope);
    let scopes = match asked.scopes {
        None => lending
            .scopes
            .iter()
            .filter(|s| is_lent(s))
            .cloned()
            .collect(),
        Some(scopes) if scopes.iter().all(is_lent) => scopes,
        Some(_) => return Ok(Exchanged::BeyondScope),
    };
    if scopes.is_empty() {
        return Ok(Exchanged::BeyondScope);
    }
    let mut detail = told(agent.subject, place.1, id);
    detail["client_id"] = json!(agent.client);
    detail["scopes"] = json!(scopes);
    detail["audience"] = json!(asked.audience);
    record(tx, app, EventType::ImpersonationTokenIssued, detail).await?;
    let in_tenant = &actor.standing.in_tenant;
    Ok(Exchanged::Lent(Box::new(Lent {
        grant,
        roles: lending.roles,
        scopes,
        ends_at,
        amr: in_tenant.amr.clone(),
        auth_time: in_tenant.auth_time,
    })))
}
