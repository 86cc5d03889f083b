//! Issuing and spending codes.

use secrecy::SecretString;
use time::OffsetDateTime;

use super::model::{CodeSecret, IssuedCode, PresentedCode};
use super::store;
use crate::app::App;
use crate::db::{Identity, Proved, StoreError, Tx};
use crate::ids::{CodeId, FamilyId, SessionId, TenantId};
use crate::oidc::bearer::microseconds;
use crate::secret::KeyedDigest;

/// Stores a code for the transaction's tenant and gives it as the client will see it.
pub async fn issue(
    tx: &mut Tx<Identity>,
    app: &App,
    code: &IssuedCode,
) -> Result<SecretString, StoreError> {
    let tenant = tx.tenant()?;
    let (text, digest) = draw(app, tenant, code);
    store::insert(tx, tenant, code, digest.as_bytes(), app.env.now()).await?;
    Ok(text)
}

/// A code's secret: the code as the client will see it, and what is kept of it.
pub(crate) fn draw(app: &App, tenant: TenantId, code: &IssuedCode) -> (SecretString, KeyedDigest) {
    let secret = CodeSecret::new(app.env.random_bytes());
    let kept = digest(app, tenant, code, &secret);
    (PresentedCode::encode(tenant, code.id, &secret), kept)
}

/// Proof of the code's account, if what was presented is this code, of which `stored` is kept.
pub(crate) fn prove(
    app: &App,
    presented: &PresentedCode,
    code: &IssuedCode,
    stored: &[u8],
) -> Option<Proved> {
    let is_shown = digest(app, presented.tenant, code, &presented.secret).matches(stored);
    is_shown.then(|| Proved::by_check(code.account))
}

/// A fresh id.
pub fn fresh_id(app: &App) -> CodeId {
    CodeId::from_uuid(app.env.random_uuid())
}

/// The code presented, locked, with proof of its account; `None` if unknown or its secret is wrong.
/// Whether it was spent, has expired or is another client's is the caller's to judge.
pub(crate) async fn find(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedCode,
) -> Result<Option<(IssuedCode, Proved)>, StoreError> {
    let found = store::find_locked(tx, presented.tenant, presented.id).await?;
    Ok(found.and_then(|(code, stored)| {
        let proved = prove(app, presented, &code, &stored)?;
        Some((code, proved))
    }))
}

/// Spends it; false if it was spent before.
pub async fn spend(
    tx: &mut Tx<Identity>,
    app: &App,
    code: &IssuedCode,
) -> Result<bool, StoreError> {
    let tenant = tx.tenant()?;
    store::spend(tx, tenant, code.id, app.env.now()).await
}

/// Notes which family its use began.
pub async fn mark_given(
    tx: &mut Tx<Identity>,
    code: &IssuedCode,
    family: FamilyId,
) -> Result<(), StoreError> {
    let tenant = tx.tenant()?;
    store::mark_given(tx, tenant, code.id, family).await
}

/// How many codes of these sessions could still be redeemed in the transaction's tenant, if their
/// sessions stood.
pub(crate) async fn count_unspent(
    tx: &mut Tx<Identity>,
    sessions: &[SessionId],
    now: OffsetDateTime,
) -> Result<u64, StoreError> {
    let tenant = tx.tenant()?;
    let count = store::count_unspent(tx, tenant, sessions, now).await?;
    Ok(count.unsigned_abs())
}

fn digest(app: &App, tenant: TenantId, code: &IssuedCode, secret: &CodeSecret) -> KeyedDigest {
    app.keys.digest(
        "authorization_code",
        secret.expose(),
        &[
            tenant.as_uuid().as_bytes(),
            code.id.as_uuid().as_bytes(),
            code.account.as_uuid().as_bytes(),
            code.subject.as_uuid().as_bytes(),
            code.session.as_uuid().as_bytes(),
            code.client.as_str().as_bytes(),
            code.redirect_uri.as_bytes(),
            code.code_challenge
                .as_deref()
                .unwrap_or_default()
                .as_bytes(),
            &microseconds(code.expires_at),
        ],
    )
}
