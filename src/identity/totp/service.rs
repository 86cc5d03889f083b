//! Setting a device up, proving it, removing it. Each in a transaction of the account.

use time::Duration;

use super::model::{Device, DeviceName, Enrollment, TotpSecret, TypedCode};
use super::store;
use crate::app::App;
use crate::db::{Identity, StoreError, Tx};
use crate::env::Env;
use crate::identity::factor::Verdict;
use crate::ids::{AccountId, SessionId, TotpId};
use crate::secret::Keys;

/// How long a secret waits for its first right code.
const ENROLLMENT_LIFETIME: Duration = Duration::minutes(30);
/// More than anybody carries.
pub(crate) const MOST_DEVICES: usize = 10;

/// What a device's secret is sealed to.
pub fn place(id: TotpId) -> String {
    format!("identity.totp/{id}/secret_sealed")
}

/// The device that is being set up in this session: the one begun before, or a new one.
///
/// - `may_begin`: whether a new one may be begun; a fresh proof is the caller's to ask for
pub(crate) async fn enrollment(
    tx: &mut Tx<Identity>,
    app: &App,
    account: AccountId,
    session: SessionId,
    may_begin: bool,
) -> Result<Option<Enrollment>, StoreError> {
    if let Some(begun) = find_begun(tx, app, account, session).await? {
        return Ok(Some(begun));
    }
    if !may_begin {
        return Ok(None);
    }
    // Another session's, or one that took too long.
    store::delete_unconfirmed(tx, account).await?;
    let id = TotpId::from_uuid(app.env.random_uuid());
    let secret = TotpSecret::new(app.env.random_bytes());
    let sealed = app.keys.wrap(&app.env, &place(id), secret.expose());
    let begun = store::insert(tx, (account, id), &sealed, session, app.env.now()).await?;
    if begun {
        return Ok(Some(Enrollment { id, secret }));
    }
    // Begun meanwhile in another tab.
    find_begun(tx, app, account, session).await
}

async fn find_begun(
    tx: &mut Tx<Identity>,
    app: &App,
    account: AccountId,
    session: SessionId,
) -> Result<Option<Enrollment>, StoreError> {
    let since = app.env.now() - ENROLLMENT_LIFETIME;
    let Some(row) = store::find_unconfirmed(tx, account, session, since).await? else {
        return Ok(None);
    };
    Ok(Some(Enrollment {
        id: row.totp_id,
        secret: open(&app.keys, row.totp_id, &row.secret_sealed)?,
    }))
}

/// Lets a device count, by its first right code; false if the code is not right, or another tab
/// was quicker.
pub(crate) async fn confirm(
    tx: &mut Tx<Identity>,
    app: &App,
    begun: &Enrollment,
    name: &DeviceName,
    code: &TypedCode,
) -> Result<bool, StoreError> {
    let now = app.env.now();
    match begun.secret.step_of(code, now) {
        Some(step) => store::mark_confirmed(tx, begun.id, name.as_str(), step, now).await,
        None => Ok(false),
    }
}

/// Proves a device of the account by a code, whose step is taken with it.
pub(crate) async fn prove(
    tx: &mut Tx<Identity>,
    app: &App,
    account: AccountId,
    code: &TypedCode,
) -> Result<Verdict, StoreError> {
    let now = app.env.now();
    let mut verdict = Verdict::Refused;
    for row in store::list(tx, account).await? {
        let id = row.device.id;
        let secret = open(&app.keys, id, &row.secret_sealed)?;
        let Some(step) = secret.step_of(code, now) else {
            continue;
        };
        if store::claim_step(tx, id, step, now).await? {
            return Ok(Verdict::Accepted);
        }
        verdict = Verdict::Replayed;
    }
    Ok(verdict)
}

/// The devices that count, oldest first.
pub(crate) async fn list(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<Vec<Device>, StoreError> {
    let rows = store::list(tx, account).await?;
    Ok(rows.into_iter().map(|row| row.device).collect())
}

/// Gives a device another name; false if she has none such.
pub(crate) async fn rename(
    tx: &mut Tx<Identity>,
    account: AccountId,
    id: TotpId,
    name: &DeviceName,
) -> Result<bool, StoreError> {
    store::rename(tx, account, id, name.as_str()).await
}

/// Removes a device; false if she has none such.
pub(crate) async fn remove(
    tx: &mut Tx<Identity>,
    account: AccountId,
    id: TotpId,
) -> Result<bool, StoreError> {
    store::delete(tx, account, id).await
}

/// Removes all devices, the one that is being set up as well.
pub(crate) async fn remove_all(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<(), StoreError> {
    store::delete_all(tx, account).await
}

/// Plants a device that counts, for people who are made up; once for each account.
pub(crate) async fn plant(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    account: AccountId,
    secret: &TotpSecret,
) -> Result<(), StoreError> {
    if !store::list(tx, account).await?.is_empty() {
        return Ok(());
    }
    let id = TotpId::from_uuid(env.random_uuid());
    let sealed = keys.wrap(env, &place(id), secret.expose());
    store::insert_confirmed(tx, (account, id), &sealed, env.now()).await
}

fn open(keys: &Keys, id: TotpId, sealed: &[u8]) -> Result<TotpSecret, StoreError> {
    let plain = keys.unwrap(&place(id), sealed);
    plain
        .and_then(|plain| Some(TotpSecret::new(plain.as_slice().try_into().ok()?)))
        .ok_or(StoreError::Corrupt {
            table: "identity.totp",
            what: "a secret that can't be opened",
        })
}
