//! Erasing a person, in an operator's transaction under `Job::AdministerAccounts`.

use serde_json::json;

use super::model::{EraseOutcome, Erased, Held, pseudonym};
use super::store;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, Job, StoreError, Tx};
use crate::env::Env;
use crate::identity::administration::locator;
use crate::identity::factor::service as factors;
use crate::identity::membership::store as membership;
use crate::identity::{Login, credential};
use crate::ids::AccountId;
use crate::secret::Keys;

/// Erases who has that login. Her account stays, as nobody's, so that the record names the same one
/// as before; her sessions, grants and delegations end with it, and the login is free.
///
/// - `even_the_last`: though a clinic that is served, or the platform, loses its last administrator
pub(crate) async fn erase(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    login: &Login,
    even_the_last: bool,
) -> Result<EraseOutcome, StoreError> {
    let account = match store::hold(tx, locator(keys, login)).await? {
        None => return Ok(EraseOutcome::Unknown),
        Some((account, true)) => return Ok(EraseOutcome::Already(account)),
        Some((account, false)) => account,
    };
    let held = store::list_held(tx, account).await?;
    if !even_the_last {
        let alone = administered_alone(tx, &held).await?;
        if !alone.is_empty() {
            return Ok(EraseOutcome::LastAdministrator(alone));
        }
    }
    let erased = erase_account(tx, env, keys, (account, login), &held).await?;
    for one in &held {
        tx.proceed(Authority::job_in(Job::AdministerAccounts, one.tenant_id))
            .await?;
        store::end_membership(tx, one.tenant_id, one.subject_id).await?;
        // The clinic's own log names her as the clinic knows her.
        let detail = json!({ "subject_id": one.subject_id });
        audit::append(tx, env, keys, EventType::AccountErased, detail).await?;
    }
    Ok(EraseOutcome::Erased(erased))
}

/// The slugs of clinics that are served and have no other administrator.
async fn administered_alone(
    tx: &mut Tx<Identity>,
    held: &[Held],
) -> Result<Vec<String>, StoreError> {
    let mut alone = Vec::new();
    for one in held.iter().filter(|one| one.is_last_administrator) {
        tx.proceed(Authority::job_in(Job::AdministerAccounts, one.tenant_id))
            .await?;
        let clinic = membership::find_clinic_by_id(tx, one.tenant_id).await?;
        alone.extend(clinic.filter(|c| c.is_active).map(|c| c.slug));
    }
    tx.proceed(Authority::job(Job::AdministerAccounts)).await?;
    Ok(alone)
}

async fn erase_account(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    (account, login): (AccountId, &Login),
    held: &[Held],
) -> Result<Erased, StoreError> {
    let there = keys.locator("login", &pseudonym(account));
    let digest = credential::digest_of_unknown(keys, login);
    let gone = store::erase(tx, account, there, &digest, env.now()).await?;
    let factors = factors::take_all(tx, account).await?;
    let erased = Erased {
        account,
        memberships: held.len(),
        factors,
        sessions: gone.sessions,
        messages: gone.messages,
        disclosures: gone.disclosures,
    };
    let detail = json!({
        "account_id": account,
        "memberships": erased.memberships,
        "devices": factors.devices,
        "recovery_codes": factors.recovery_codes,
        "sessions": erased.sessions,
        "messages": erased.messages,
        "disclosures": erased.disclosures,
    });
    audit::append(tx, env, keys, EventType::AccountErased, detail).await?;
    Ok(erased)
}
