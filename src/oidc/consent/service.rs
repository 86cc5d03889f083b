//! Giving, finding and withdrawing a consent. Each in a transaction of the tenant, opened by the
//! caller: of the member for what changes something.

use serde_json::json;

use super::model::GivenConsent;
use super::{policy, store};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::ids::{ClientId, SubjectId, TenantId};
use crate::oidc::client::Client;
use crate::oidc::family::ending;
use crate::oidc::interaction::AuthorizeRequest;
use crate::sessions::service::{self as sessions, Proof};

/// Whether a code may be issued without asking: the client is our own, or the member said yes.
///
/// - `asked_at`: when the interaction began that she comes back from, if she does
pub(crate) async fn stands(
    tx: &mut Tx<Identity>,
    client: &Client,
    subject: SubjectId,
    request: &AuthorizeRequest,
    asked_at: Option<time::OffsetDateTime>,
) -> Result<bool, StoreError> {
    if !client.is_third_party() {
        return Ok(true);
    }
    let tenant = tx.tenant()?;
    let found = store::find_held(tx, tenant, subject, &client.id).await?;
    Ok(policy::covers(found.as_ref(), client, request, asked_at))
}

/// Whether the yes behind a code still stands when the code is redeemed.
pub(crate) async fn still_stands(
    tx: &mut Tx<Identity>,
    client: &Client,
    subject: SubjectId,
    scopes: &[String],
) -> Result<bool, StoreError> {
    if !client.is_third_party() {
        return Ok(true);
    }
    let tenant = tx.tenant()?;
    let found = store::find_held(tx, tenant, subject, &client.id).await?;
    Ok(found.is_some_and(|consent| policy::allows(&consent, client, scopes)))
}

/// Notes that a client got a code by a consent.
pub(crate) async fn note_use(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    subject: SubjectId,
) -> Result<(), StoreError> {
    if !client.is_third_party() {
        return Ok(());
    }
    let tenant = tx.tenant()?;
    store::mark_used(tx, tenant, subject, &client.id, app.env.now()).await
}

/// Records the member's answer to a client's request.
pub(crate) async fn answer(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    request: &AuthorizeRequest,
    is_allowed: bool,
) -> Result<(), StoreError> {
    let tenant = tx.tenant()?;
    let subject = tx.subject().ok_or(StoreError::Corrupt {
        table: "seal.context",
        what: "a consent of nobody",
    })?;
    let event = if is_allowed {
        let registration = (&client.id, client.created_at);
        let at = app.env.now();
        store::put(tx, (tenant, subject), registration, &request.scopes, at).await?;
        EventType::ConsentGiven
    } else {
        EventType::ConsentRefused
    };
    let detail = json!({ "client_id": client.id, "scopes": request.scopes });
    audit::append(tx, &app.env, &app.keys, event, detail).await
}

/// What a member allowed, by the clients' names.
pub(crate) async fn list(
    tx: &mut Tx<Identity>,
    subject: SubjectId,
) -> Result<Vec<GivenConsent>, StoreError> {
    let tenant = tx.tenant()?;
    store::list(tx, tenant, subject).await
}

/// Takes back what she allowed a client, and ends what it got by it; false if she allowed nothing.
/// Goes on as the member.
pub(crate) async fn withdraw(
    tx: &mut Tx<Identity>,
    app: &App,
    proof: Proof,
    (tenant, subject): (TenantId, SubjectId),
    client: &ClientId,
) -> Result<bool, StoreError> {
    tx.proceed(Authority::member(proof.0, tenant, subject))
        .await?;
    // First: whoever issues or redeems a code holds the row, so what they made is seen below, and
    // whoever comes later finds no consent.
    if !store::delete(tx, tenant, subject, client).await? {
        return Ok(false);
    }
    tx.proceed(Authority::account(proof.0)).await?;
    let live = sessions::list(tx, proof.account()).await?;
    let live: Vec<_> = live.into_iter().map(|session| session.id).collect();
    tx.proceed(Authority::member(proof.0, tenant, subject))
        .await?;
    let ended = ending::end_all_of_client(tx, app, subject, client, &live).await?;
    let detail = json!({ "client_id": client, "families_ended": ended.len() });
    audit::append(tx, &app.env, &app.keys, EventType::ConsentWithdrawn, detail).await?;
    Ok(true)
}
