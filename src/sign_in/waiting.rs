//! The request that waits for a sign-in, as its pages see it.

use crate::app::App;
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::Login;
use crate::identity::membership::store as memberships;
use crate::ids::{InteractionId, TenantId};
use crate::oidc::interaction::{Interaction, service as interaction};
use crate::secret::KeyedDigest;

/// The live one of this browser, with its clinic as soon as that is known. In a transaction that
/// claims it.
pub(super) async fn find(
    tx: &mut Tx<Identity>,
    app: &App,
    id: InteractionId,
    browser: &KeyedDigest,
) -> Result<Option<Interaction>, StoreError> {
    let mut found = interaction::find(tx, app, id, browser).await?;
    if let Some(Interaction { pending, .. }) = &mut found
        && let (Some(tenant), None) = (pending.tenant, &pending.clinic)
    {
        pending.clinic = clinic_of(tx, tenant).await?;
        tx.proceed(interaction::authority(id)).await?;
    }
    Ok(found)
}

/// The same; keeps the login that was named for it, if one was.
pub(super) async fn name(
    tx: &mut Tx<Identity>,
    app: &App,
    id: InteractionId,
    browser: &KeyedDigest,
    login: Option<&Login>,
) -> Result<Option<Interaction>, StoreError> {
    let mut found = find(tx, app, id, browser).await?;
    if let (Some(waiting), Some(login)) = (&mut found, login) {
        waiting.pending.login = Some(login.as_str().to_owned());
        interaction::keep(tx, waiting).await?;
    }
    Ok(found)
}

/// The login that was named for it.
pub(super) fn login(waiting: &Interaction) -> Option<Login> {
    waiting.pending.login.as_deref().and_then(Login::parse)
}

/// The name and accent of a clinic that the request is for.
async fn clinic_of(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
) -> Result<Option<(String, String)>, StoreError> {
    tx.proceed(Authority::presented_in(tenant)).await?;
    let clinic = memberships::find_clinic_by_id(tx, tenant).await?;
    Ok(clinic.map(|clinic| (clinic.name, clinic.accent)))
}
