//! What the patient and the proxy are told by mail. Neither letter says who the other is: that
//! stands where one signs in.

use super::model::DelegationId;
use super::store;
use crate::app::App;
use crate::db::outbox::{self, MailKind, Side};
use crate::db::{Identity, StoreError, Tx};
use crate::identity::membership::store as membership;
use crate::ids::TenantId;

/// Tells both that one was written down, in its transaction.
pub(super) async fn tell_made(
    tx: &mut Tx<Identity>,
    app: &App,
    one: (TenantId, DelegationId),
) -> Result<(), StoreError> {
    let made = |clinic, side| MailKind::DelegationMade { clinic, side };
    tell(tx, app, one, made).await
}

/// Tells both that one is over, where that is put on the record.
pub(super) async fn tell_ended(
    tx: &mut Tx<Identity>,
    app: &App,
    one: (TenantId, DelegationId),
) -> Result<(), StoreError> {
    let ended = |clinic, side| MailKind::DelegationEnded { clinic, side };
    tell(tx, app, one, ended).await
}

/// Whose account is not active any more is told nothing.
async fn tell(
    tx: &mut Tx<Identity>,
    app: &App,
    (tenant, id): (TenantId, DelegationId),
    letter: fn(String, Side) -> MailKind,
) -> Result<(), StoreError> {
    let clinic = membership::find_clinic_by_id(tx, tenant).await?;
    let clinic = clinic.map(|clinic| clinic.name).unwrap_or_default();
    for (account, is_patient) in store::list_addressees(tx, tenant, id).await? {
        let side = if is_patient {
            Side::Patient
        } else {
            Side::Proxy
        };
        outbox::post(tx, &app.env, account, &letter(clinic.clone(), side)).await?;
    }
    Ok(())
}
