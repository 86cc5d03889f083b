//! Giving a token under a delegation (RFC 8693): everything is looked at again, and the giving is
//! on the record before the token is signed.

use serde_json::json;
use time::OffsetDateTime;

use super::lending::{self, Denial, PatientFacts, ProxyFacts};
use super::model::{Delegation, DelegationId};
use super::service::{record, told};
use super::store;
use crate::app::App;
use crate::audit::EventType;
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::membership::store as membership;
use crate::ids::{ClientId, SubjectId, TenantId, TenantSessionId};
use crate::sessions::service::{self as sessions, Standing};

/// Who speaks for himself: what his verified access token says.
#[derive(Clone, Debug)]
pub(crate) struct Presenter {
    /// His clinic.
    pub(crate) tenant: TenantId,
    /// His membership of it.
    pub(crate) subject: SubjectId,
    /// His session there.
    pub(crate) sid: TenantSessionId,
    /// The app that he uses.
    pub(crate) client: ClientId,
}

/// What one token of a proxy is made of.
#[derive(Debug)]
pub(crate) struct Lent {
    /// The delegation, standing.
    pub(crate) delegation: Delegation,
    /// The patient's role as one.
    pub(crate) roles: Vec<String>,
    /// What the token may.
    pub(crate) scopes: Vec<String>,
    /// When it ends.
    pub(crate) ends_at: OffsetDateTime,
    /// How the proxy signed in (RFC 8176).
    pub(crate) amr: Vec<String>,
    /// When he did.
    pub(crate) auth_time: OffsetDateTime,
}

/// What an exchange came to.
#[derive(Debug)]
pub(crate) enum Exchanged {
    /// A token may be signed; its giving is on the record.
    Lent(Box<Lent>),
    /// No such delegation of this proxy's.
    Unknown,
    /// No, on the record.
    Denied(Denial),
    /// More was asked for than is lent.
    BeyondScope,
}

/// What a client asks for with a delegation.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// The delegation.
    pub(crate) id: DelegationId,
    /// Which scopes; `None`: all that there is.
    pub(crate) scopes: Option<Vec<String>>,
    /// What the client was registered with.
    pub(crate) registered: &'a [String],
    /// For which API, one of the client's.
    pub(crate) audience: &'a str,
}

/// Looks at everything again and records that a token is given, in a transaction of the proxy's
/// clinic. The delegation is held until the commit: what ends it comes after the token.
pub(crate) async fn exchange(
    tx: &mut Tx<Identity>,
    app: &App,
    by: &Presenter,
    asked: Asked<'_>,
) -> Result<Exchanged, StoreError> {
    let held = store::find_held(tx, by.tenant, asked.id).await?;
    let Some(delegation) = held.filter(|one| one.proxy == by.subject) else {
        return Ok(Exchanged::Unknown);
    };
    let standing = sessions::find_by_sid(tx, app, by.sid, "").await?;
    let standing = standing.filter(|standing| standing.in_tenant.subject == by.subject);
    let proxy = facts_of_proxy(tx, by, standing.as_ref()).await?;
    let Some(rights) = store::find_rights(tx, &delegation).await? else {
        return Ok(Exchanged::Unknown);
    };
    let patient = PatientFacts {
        is_active: rights.is_active,
        has_anything: !rights.scopes.is_empty(),
    };
    tx.proceed(Authority::acting(by.subject, by.tenant, delegation.patient))
        .await?;
    let life = (app.env.now(), app.config.lifetimes.access_token);
    let mut detail = told(delegation.id, delegation.patient, delegation.proxy);
    detail["client_id"] = json!(by.client);
    let ends_at = lending::token_ends_at(&delegation, proxy, patient, life);
    let (ends_at, standing) = match (ends_at, standing) {
        (Ok(ends_at), Some(standing)) => (ends_at, standing),
        (denied, _) => {
            let denial = denied.err().unwrap_or(Denial::ProxySessionOver);
            detail["reason"] = json!(denial.word());
            record(tx, app, EventType::DelegationDenied, detail).await?;
            return Ok(Exchanged::Denied(denial));
        }
    };
    let is_lent =
        |scope: &String| rights.scopes.contains(scope) && asked.registered.contains(scope);
    let scopes: Vec<String> = match asked.scopes {
        None => rights
            .scopes
            .iter()
            .filter(|scope| is_lent(scope))
            .cloned()
            .collect(),
        Some(scopes) if scopes.iter().all(is_lent) => scopes,
        Some(_) => return Ok(Exchanged::BeyondScope),
    };
    if scopes.is_empty() {
        return Ok(Exchanged::BeyondScope);
    }
    detail["scopes"] = json!(scopes);
    detail["audience"] = json!(asked.audience);
    record(tx, app, EventType::DelegationTokenIssued, detail).await?;
    Ok(Exchanged::Lent(Box::new(Lent {
        delegation,
        roles: rights.roles,
        scopes,
        ends_at,
        amr: standing.in_tenant.amr.clone(),
        auth_time: standing.in_tenant.auth_time,
    })))
}

async fn facts_of_proxy(
    tx: &mut Tx<Identity>,
    by: &Presenter,
    standing: Option<&Standing>,
) -> Result<ProxyFacts, StoreError> {
    let member = membership::find(tx, by.tenant, by.subject).await?;
    Ok(ProxyFacts {
        is_active: member.is_some_and(|member| member.is_active),
        session_ends_at: standing.map(|standing| {
            let clocks = standing.clocks();
            clocks.idle_ends_at.min(clocks.session_ends_at)
        }),
    })
}
