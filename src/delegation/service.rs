//! Writing delegations down, ending them, listing them, and recording what is done under one.

use serde_json::{Value, json};

use super::model::{Delegation, DelegationId, EndCause, Named, Terms, TokensEnd};
use super::policy::{self, Granter, Unfit};
use super::{letters, store, upkeep};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::ids::{ClientId, SubjectId, TenantId};
use crate::impersonation::model::{Acted, Recorded};

/// What a wish to let somebody act came to.
#[derive(Debug)]
pub(crate) enum Granted {
    /// It stands.
    Done(Box<Named>),
    /// Either is no active member of the clinic, or the patient is none.
    Unknown,
    /// One of the same two on the same basis stands already.
    StandsAlready,
    /// Not on these terms.
    Unfit(Unfit),
}

/// What a wish to end one came to.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It is over, since now or before.
    Done(Box<Named>),
    /// No such delegation, or none that concerns her.
    Unknown,
    /// It concerns her, and is not hers to end.
    NotHers,
}

/// Who ends one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ender {
    /// An administrator of the clinic.
    Clinic,
    /// The patient or the proxy.
    Member(SubjectId),
}

/// Lets a proxy act for a patient, in a transaction of the granter's own.
pub(crate) async fn grant(
    tx: &mut Tx<Identity>,
    app: &App,
    granter: Granter,
    terms: &Terms,
) -> Result<Granted, StoreError> {
    let tenant = tx.tenant()?;
    let patient = store::find_party(tx, tenant, terms.patient).await?;
    let proxy = store::find_party(tx, tenant, terms.proxy).await?;
    let (Some(patient), Some(proxy)) = (patient.filter(|party| party.is_patient), proxy) else {
        return Ok(Granted::Unknown);
    };
    let now = app.env.now();
    let parties = (&patient, &proxy);
    if let Err(unfit) = policy::may_grant(terms, granter, parties, now) {
        return Ok(Granted::Unfit(unfit));
    }
    let pair = (terms.patient, terms.proxy);
    for over in store::list_unsettled_of(tx, tenant, pair, now).await? {
        upkeep::settle_one(tx, app, &over).await?;
    }
    let id = DelegationId::from_uuid(app.env.random_uuid());
    let by = (granter.subject(), now);
    if !store::insert(tx, (tenant, id), terms, parties, by).await? {
        return Ok(Granted::StandsAlready);
    }
    let named = found(tx, tenant, id).await?;
    let one = &named.delegation;
    let mut detail = told(id, one.patient, one.proxy);
    detail["basis"] = json!(one.basis);
    detail["document"] = json!(one.document);
    detail["scope"] = json!(keys(one));
    detail["valid_from"] = json!(one.valid_from.unix_timestamp());
    detail["ends_at"] = json!(one.ends_at.map(time::OffsetDateTime::unix_timestamp));
    record(tx, app, EventType::DelegationCreated, detail).await?;
    letters::tell_made(tx, app, (tenant, id)).await?;
    Ok(Granted::Done(Box::new(named)))
}

/// Ends one; one that is over stays as it ended.
pub(crate) async fn end(
    tx: &mut Tx<Identity>,
    app: &App,
    by: Ender,
    id: DelegationId,
) -> Result<Ended, StoreError> {
    let tenant = tx.tenant()?;
    let concerns = |one: &Delegation| match by {
        Ender::Clinic => true,
        Ender::Member(subject) => [one.patient, one.proxy].contains(&subject),
    };
    let held = store::find_held(tx, tenant, id).await?;
    let Some(one) = held.filter(concerns) else {
        return Ok(Ended::Unknown);
    };
    let cause = match by {
        Ender::Clinic => Some(EndCause::Clinic),
        Ender::Member(subject) => policy::cause_of_member(&one, subject),
    };
    let Some(cause) = cause else {
        return Ok(Ended::NotHers);
    };
    if store::mark_ended(tx, (tenant, id), cause, app.env.now()).await? {
        let mut detail = told(id, one.patient, one.proxy);
        detail["cause"] = json!(cause.as_str());
        record(tx, app, EventType::DelegationEnded, detail).await?;
        letters::tell_ended(tx, app, (tenant, id)).await?;
    }
    let named = found(tx, tenant, id).await?;
    Ok(Ended::Done(Box::new(named)))
}

/// The proxy's app is done with a token (RFC 7009), and so with all that was given under the
/// delegation until now: none is known by itself. It stands, and gives another. In a transaction
/// of its clinic.
pub(crate) async fn end_tokens(
    tx: &mut Tx<Identity>,
    app: &App,
    (tenant, id): (TenantId, DelegationId),
    client: &ClientId,
) -> Result<(), StoreError> {
    let held = store::find_held(tx, tenant, id).await?;
    let Some(one) = held else {
        return Ok(());
    };
    tx.proceed(Authority::acting(one.proxy, tenant, one.patient))
        .await?;
    let at = app.env.now();
    if store::mark_tokens_ended(tx, (tenant, id), TokensEnd::Revoked, at).await? {
        let mut detail = told(id, one.patient, one.proxy);
        detail["client_id"] = json!(client);
        detail["cause"] = json!(TokensEnd::Revoked.as_str());
        record(tx, app, EventType::DelegationTokensEnded, detail).await?;
    }
    Ok(())
}

/// The newest of a clinic.
pub(crate) async fn list(tx: &mut Tx<Identity>) -> Result<Vec<Named>, StoreError> {
    let tenant = tx.tenant()?;
    store::list(tx, tenant, None).await
}

/// The newest that concern one member.
pub(crate) async fn list_of(
    tx: &mut Tx<Identity>,
    member: SubjectId,
) -> Result<Vec<Named>, StoreError> {
    let tenant = tx.tenant()?;
    store::list(tx, tenant, Some(member)).await
}

/// Records a request that an API answered, or is about to answer, under a delegation. In a
/// transaction of the clinic.
pub(crate) async fn record_acted(
    tx: &mut Tx<Identity>,
    app: &App,
    (tenant, id): (TenantId, DelegationId),
    (api, acted): (&ClientId, &Acted),
) -> Result<Recorded, StoreError> {
    let held = store::find_held(tx, tenant, id).await?;
    let Some(one) = held else {
        return Ok(Recorded::Unknown);
    };
    if !acted.is_answered() && !one.lets_in(acted.issued_at, app.env.now()) {
        return Ok(Recorded::Over);
    }
    tx.proceed(Authority::acting(one.proxy, tenant, one.patient))
        .await?;
    let mut detail = told(id, one.patient, one.proxy);
    acted.tell(api, &mut detail);
    record(tx, app, EventType::DelegationRequestRecorded, detail).await?;
    Ok(Recorded::Yes)
}

/// One that was just written.
async fn found(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    id: DelegationId,
) -> Result<Named, StoreError> {
    let named = store::find_named(tx, tenant, id).await?;
    named.ok_or(StoreError::Corrupt {
        table: "identity.delegation",
        what: "one is not there after it was written",
    })
}

/// The keys of its scope, as the log has them.
pub(super) fn keys(one: &Delegation) -> Vec<&'static str> {
    one.scope.iter().map(|key| key.as_str()).collect()
}

/// Which, of whom, to whom: in every event, whoever causes it.
pub(super) fn told(id: DelegationId, patient: SubjectId, proxy: SubjectId) -> Value {
    json!({ "delegation": id, "patient": patient, "proxy": proxy })
}

pub(super) async fn record(
    tx: &mut Tx<Identity>,
    app: &App,
    event: EventType,
    detail: Value,
) -> Result<(), StoreError> {
    audit::append(tx, &app.env, &app.keys, event, detail).await
}
