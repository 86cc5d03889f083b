//! Making and spending. Each in a transaction of the account.

use serde_json::json;

use super::model::RecoveryCode;
use super::store;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::outbox::{self, MailKind};
use crate::db::{Identity, StoreError, Tx};
use crate::identity::factor::Verdict;
use crate::ids::AccountId;
use crate::secret::KeyedDigest;

/// At a time.
const HOW_MANY: usize = 10;

/// Ten new ones, to be shown once; the old ones end.
pub(crate) async fn make(
    tx: &mut Tx<Identity>,
    app: &App,
    account: AccountId,
) -> Result<Vec<RecoveryCode>, StoreError> {
    store::delete_all(tx, account).await?;
    let codes: Vec<RecoveryCode> = (0..HOW_MANY)
        .map(|_| RecoveryCode::random(&app.env))
        .collect();
    let digests: Vec<Vec<u8>> = codes
        .iter()
        .map(|code| digest(app, account, code).as_bytes().to_vec())
        .collect();
    store::insert_all(tx, account, &digests, app.env.now()).await?;
    let detail = json!({ "count": codes.len() });
    audit::append(tx, &app.env, &app.keys, EventType::RecoveryCodeMade, detail).await?;
    Ok(codes)
}

/// Spends one. The person is told.
pub(crate) async fn spend(
    tx: &mut Tx<Identity>,
    app: &App,
    account: AccountId,
    code: &RecoveryCode,
) -> Result<Verdict, StoreError> {
    let digest = digest(app, account, code);
    if !store::mark_spent(tx, account, digest.as_bytes(), app.env.now()).await? {
        let is_known = store::exists(tx, account, digest.as_bytes()).await?;
        return Ok(if is_known {
            Verdict::Replayed
        } else {
            Verdict::Refused
        });
    }
    let left = store::count_left(tx, account).await?;
    let detail = json!({ "left": left });
    audit::append(tx, &app.env, &app.keys, EventType::RecoveryCodeUsed, detail).await?;
    outbox::post(tx, &app.env, account, &MailKind::RecoveryCodeUsed { left }).await?;
    Ok(Verdict::Accepted)
}

/// How many are still good.
pub(crate) async fn count_left(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<i64, StoreError> {
    store::count_left(tx, account).await
}

/// Ends all of them: without a device there is nothing to recover.
pub(crate) async fn end_all(tx: &mut Tx<Identity>, account: AccountId) -> Result<(), StoreError> {
    store::delete_all(tx, account).await
}

fn digest(app: &App, account: AccountId, code: &RecoveryCode) -> KeyedDigest {
    let account = account.as_uuid();
    app.keys
        .digest("recovery_code", code.as_bytes(), &[account.as_bytes()])
}
