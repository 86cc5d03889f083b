//! Issuing and redeeming. Each under `Job::AdministerAccounts`.

use serde_json::json;
use uuid::Uuid;

use super::model::{BootstrapSecret, IssuedBootstrap, LIFETIME, RedeemOutcome};
use super::store;
use crate::audit::{self, EventType};
use crate::db::{Identity, StoreError, Tx};
use crate::env::Env;
use crate::identity::administration;
use crate::identity::model::{AccountOutcome, MembershipOutcome, NewAccount, NewMembership};
use crate::ids::TenantId;
use crate::secret::{KeyedDigest, Keys};

/// Makes a secret and ends those before it.
pub(crate) async fn issue(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
) -> Result<IssuedBootstrap, StoreError> {
    let now = env.now();
    let secret = BootstrapSecret::random(env);
    let (locator, digest) = digest(keys, &secret);
    let expires_at = now + LIFETIME;
    store::mark_replaced(tx, now).await?;
    store::insert(tx, locator, &digest, now, expires_at).await?;
    let detail = json!({ "expires_at": expires_at.unix_timestamp() });
    audit::append(tx, env, keys, EventType::BootstrapIssued, detail).await?;
    Ok(IssuedBootstrap { secret, expires_at })
}

/// Uses a secret up for a new account that administers the platform.
///
/// - `phc`: the hash of its password.
pub(crate) async fn redeem(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    secret: &BootstrapSecret,
    (new, phc): (&NewAccount, &str),
) -> Result<RedeemOutcome, StoreError> {
    let (locator, digest) = digest(keys, secret);
    if administration::find_account(tx, keys, &new.login)
        .await?
        .is_some()
    {
        return Ok(RedeemOutcome::LoginTaken);
    }
    if !store::spend(tx, locator, &digest, env.now()).await? {
        audit::append(tx, env, keys, EventType::BootstrapRefused, json!({})).await?;
        return Ok(RedeemOutcome::Refused);
    }
    let AccountOutcome::Created(account) =
        administration::create_account(tx, env, keys, new, phc).await?
    else {
        // Between our look and our insert: rolled back, so that the secret is not lost.
        return Err(StoreError::Conflict {
            constraint: "account_login_is_unique".to_owned(),
        });
    };
    audit::append(
        tx,
        env,
        keys,
        EventType::BootstrapRedeemed,
        json!({ "account_id": account }),
    )
    .await?;
    let membership = NewMembership {
        tenant: TenantId::PLATFORM,
        account,
        name: new.name.clone(),
        roles: vec![administration::SUPER_ADMIN.to_owned()],
    };
    match administration::create_membership(tx, env, keys, &membership).await? {
        MembershipOutcome::Created(subject) => Ok(RedeemOutcome::Redeemed(account, subject)),
        MembershipOutcome::AlreadyMember
        | MembershipOutcome::NoSuchRole { .. }
        | MembershipOutcome::NoRole => Err(StoreError::Corrupt {
            table: "identity.role",
            what: "no super_admin for a fresh account",
        }),
    }
}

fn digest(keys: &Keys, secret: &BootstrapSecret) -> (Uuid, KeyedDigest) {
    use secrecy::ExposeSecret as _;
    let locator = keys.locator("bootstrap", secret.secret().expose_secret());
    let digest = keys.digest("bootstrap", secret.as_bytes(), &[locator.as_bytes()]);
    (locator, digest)
}
