//! Redeeming a code under a grant: for an access token and an ID token that say who acts, and never
//! a refresh token.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::model::{Handover, HandoverCode, PresentedHandoverCode};
use super::service::{code_digest, stand};
use super::{policy, store};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::impersonation::EndCause;
use crate::impersonation::answers;
use crate::impersonation::exchange::{self, Lent};
use crate::oidc::client::Client;
use crate::oidc::code::model::{fault, is_proved};

/// What a request shows beside its client.
pub(crate) struct Shown {
    pub(crate) code: PresentedHandoverCode,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) verifier: Option<SecretString>,
}

/// What a code buys.
pub(crate) struct Bought {
    /// For the access token.
    pub(crate) lent: Lent,
    /// For which API.
    pub(crate) audience: String,
    /// For the ID token.
    pub(crate) nonce: Option<String>,
}

/// What a redemption ended in; committed either way.
pub(crate) enum Outcome {
    /// Tokens may be signed; their giving is on the record.
    Bought(Box<Bought>),
    /// Not that.
    Refused(&'static str),
}

/// Redeems a code, once. A second use ends the grant: who showed it first may have been a thief.
pub(crate) async fn redeem(
    app: &App,
    client: &Client,
    shown: &Shown,
) -> Result<Outcome, StoreError> {
    let authority = Authority::<Identity>::presented_in(shown.code.tenant());
    app.db
        .run(authority, async |tx| spend(tx, app, client, shown).await)
        .await
}

async fn spend(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    shown: &Shown,
) -> Result<Outcome, StoreError> {
    let (tenant, id) = (shown.code.tenant(), shown.code.id());
    let found = store::find_code(tx, tenant, id).await?;
    let found = found.filter(|(code, stored, handover)| {
        code_digest(app, handover, code, &shown.code).matches(stored)
    });
    let Some((code, _, handover)) = found else {
        // Nobody's: to the platform's log, since what names a tenant need not be of it.
        tx.proceed(Authority::claim(id.as_uuid())).await?;
        return refuse(tx, app, client, shown, "unknown").await;
    };
    // A stranger changes nothing (TOK-01).
    if code.client != client.id {
        return refuse(tx, app, client, shown, "another client's").await;
    }
    if code.spent_at.is_some() {
        return replayed(tx, app, client, (&code, &handover)).await;
    }
    let now = app.env.now();
    let redirect_uri = shown.redirect_uri.as_deref();
    if let Some(fault) = fault(code.expires_at, &code.redirect_uri, redirect_uri, now) {
        return refuse(tx, app, client, shown, fault).await;
    }
    // Spent before the verifier is judged: a wrong one burns the code (TOK-05).
    if !store::spend_code(tx, tenant, id, now).await? {
        return replayed(tx, app, client, (&code, &handover)).await;
    }
    let verifier = shown
        .verifier
        .as_ref()
        .map(secrecy::ExposeSecret::expose_secret);
    if !is_proved(code.code_challenge.as_deref(), verifier) {
        return refuse(tx, app, client, shown, "code verifier").await;
    }
    let Some(ground) = stand(tx, app, &handover, &client.id).await? else {
        return Ok(Outcome::Refused("the grant does not stand"));
    };
    let scopes = policy::lent_of(&code.scopes, &ground.lent);
    if scopes.is_empty() {
        return refuse(tx, app, client, shown, "nothing is lent").await;
    }
    let to = (&client.id, code.audience.as_str());
    let lent = exchange::give(tx, app, *ground, to, scopes).await?;
    Ok(Outcome::Bought(Box::new(Bought {
        lent,
        audience: code.audience,
        nonce: code.nonce,
    })))
}

async fn replayed(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    (code, handover): (&HandoverCode, &Handover),
) -> Result<Outcome, StoreError> {
    let grant = (handover.tenant, handover.grant);
    answers::end_for(tx, app, grant, EndCause::CodeReplayed).await?;
    let detail = json!({
        "client_id": client.id, "code": code.id, "impersonation": handover.grant,
    });
    audit::append(tx, &app.env, &app.keys, EventType::CodeReplayed, detail).await?;
    Ok(Outcome::Refused("replayed"))
}

async fn refuse(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    shown: &Shown,
    reason: &'static str,
) -> Result<Outcome, StoreError> {
    let code = shown.code.id();
    let detail: Value = json!({ "client_id": client.id, "code": code, "reason": reason });
    audit::append(tx, &app.env, &app.keys, EventType::CodeRejected, detail).await?;
    Ok(Outcome::Refused(reason))
}
