//! Registering clients, rotating their secrets, and finding the one that a request names.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::model::{AuthMethod, Client, NewClient, RedirectUri, ShownSecret};
use super::policy::{RegistrationRefusal, may_register};
use super::store::{self, Addresses};
use crate::audit::{self, EventType};
use crate::db::{Identity, StoreError, Tx};
use crate::env::Env;
use crate::ids::{ClientId, TenantId};
use crate::secret::{KeyedDigest, Keys};

/// What secret scanners find our client secrets by.
const SECRET_PREFIX: &str = "lcs_";

/// The longest that an old secret may go on beside the new one.
pub const MAX_OVERLAP: Duration = Duration::days(7);

/// What registering ended in.
#[derive(Debug)]
pub enum RegisterOutcome {
    /// It is known now; public clients have no secret.
    Registered(Option<ShownSecret>),
    /// Its parts do not agree.
    Refused(RegistrationRefusal),
    /// Another client has that id.
    IdTaken,
}

/// What rotating ended in.
#[derive(Debug)]
pub enum RotateOutcome {
    /// The new secret; the old one is good until then.
    Rotated {
        /// Shown once.
        secret: ShownSecret,
        /// When the old one ends.
        old_until: OffsetDateTime,
    },
    /// No such client in that tenant.
    Unknown,
    /// A public client has none.
    NoSecret,
}

/// How an event tells of the client that a request names: a known one by its id, any other by its
/// locator, since what was typed there may be anything (design §8).
pub(crate) fn told(keys: &Keys, id: &ClientId, is_known: bool) -> serde_json::Value {
    if is_known {
        json!({ "client_id": id })
    } else {
        json!({ "client_locator": locator(keys, id) })
    }
}

/// Registers a client. Under `Job::AdministerClients` within the client's tenant.
pub(crate) async fn register(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    new: &NewClient,
) -> Result<RegisterOutcome, StoreError> {
    let permit = match may_register(new) {
        Ok(permit) => permit,
        Err(refusal) => return Ok(RegisterOutcome::Refused(refusal)),
    };
    let now = env.now();
    if !store::insert(tx, permit, new, locator(keys, &new.id), now).await? {
        return Ok(RegisterOutcome::IdTaken);
    }
    for origin in &new.origins {
        let locator = origin_locator(keys, origin.as_str());
        store::insert_origin(tx, new.tenant, &new.id, locator).await?;
    }
    let secret = if new.auth_method == AuthMethod::None {
        None
    } else {
        Some(give_secret(tx, env, keys, new.tenant, &new.id).await?)
    };
    let detail = json!({ "client_id": new.id, "kind": new.kind.as_str() });
    audit::append(tx, env, keys, EventType::ClientCreated, detail).await?;
    Ok(RegisterOutcome::Registered(secret))
}

/// Gives a client a new secret and its old one an end. At most two are live (attacks CLI-18).
///
/// - `overlap`: how long the old one goes on, [`MAX_OVERLAP`] at most; zero ends it at once.
pub(crate) async fn rotate_secret(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    (tenant, id): (TenantId, &ClientId),
    overlap: Duration,
) -> Result<RotateOutcome, StoreError> {
    match store::lock(tx, tenant, id).await? {
        None => return Ok(RotateOutcome::Unknown),
        Some(AuthMethod::None) => return Ok(RotateOutcome::NoSecret),
        Some(AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost) => {}
    }
    let old_until = env.now() + overlap.clamp(Duration::ZERO, MAX_OVERLAP);
    store::retire_secrets(tx, tenant, id, old_until).await?;
    let secret = give_secret(tx, env, keys, tenant, id).await?;
    let detail = json!({ "client_id": id, "old_until": old_until.unix_timestamp() });
    audit::append(tx, env, keys, EventType::ClientSecretRotated, detail).await?;
    Ok(RotateOutcome::Rotated { secret, old_until })
}

/// Gives a client the addresses and scopes of `new` in place of its own, checked as at
/// registration; `false` if there is no such client, or it has them.
pub(crate) async fn replace_addresses(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    new: &NewClient,
) -> Result<Result<bool, RegistrationRefusal>, StoreError> {
    if let Err(refusal) = may_register(new) {
        return Ok(Err(refusal));
    }
    let texts = |list: &[RedirectUri]| -> Vec<String> {
        list.iter()
            .map(|address| address.as_str().to_owned())
            .collect()
    };
    let (redirects, logouts) = (
        texts(&new.redirect_uris),
        texts(&new.post_logout_redirect_uris),
    );
    let named = (new.tenant, &new.id);
    let addresses = Addresses {
        redirect_uris: &redirects,
        post_logout_redirect_uris: &logouts,
        initiate_login_uri: new.initiate_login_uri.as_ref().map(RedirectUri::as_str),
    };
    let changed = store::replace_addresses(tx, named, &addresses, &new.scopes).await?;
    if changed {
        let detail = json!({ "client_id": new.id, "changed": "registration" });
        audit::append(tx, env, keys, EventType::ClientChanged, detail).await?;
    }
    Ok(Ok(changed))
}

/// Deletes a client with its secrets; `false` if there is none.
pub(crate) async fn delete(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    tenant: TenantId,
    id: &ClientId,
) -> Result<bool, StoreError> {
    if !store::delete(tx, tenant, id).await? {
        return Ok(false);
    }
    let detail = json!({ "client_id": id });
    audit::append(tx, env, keys, EventType::ClientDeleted, detail).await?;
    Ok(true)
}

/// The clients of one tenant, all of them; a tenant has few.
pub(crate) async fn list(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
) -> Result<Vec<Client>, StoreError> {
    const PAGE: i64 = 200;
    let mut all: Vec<Client> = Vec::new();
    loop {
        let after = all
            .last()
            .map(|c| c.id.as_str().to_owned())
            .unwrap_or_default();
        let page = store::list(tx, tenant, &after, PAGE).await?;
        let full = page.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

/// Where the client of that id is found: what [`crate::db::Authority`]'s claim is made for.
pub(crate) fn locator(keys: &Keys, id: &ClientId) -> Uuid {
    keys.locator("client", id.as_str())
}

/// Where a browser origin is found.
pub(crate) fn origin_locator(keys: &Keys, origin: &str) -> Uuid {
    keys.locator("origin", origin)
}

/// Whether any client's pages live at an origin. Under a claim of [`origin_locator`].
pub(crate) async fn is_origin_known(
    tx: &mut Tx<Identity>,
    locator: Uuid,
) -> Result<bool, StoreError> {
    store::is_origin_known(tx, locator).await
}

/// The client that a request names, whatever its tenant. Under a claim of [`locator`].
pub(crate) async fn find_claimed(
    tx: &mut Tx<Identity>,
    keys: &Keys,
    id: &ClientId,
) -> Result<Option<Client>, StoreError> {
    store::find_claimed(tx, id, locator(keys, id)).await
}

/// Whether `presented` is one of the client's live secrets. All are compared, always.
pub(crate) async fn secret_is_right(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    client: &Client,
    presented: &SecretString,
) -> Result<bool, StoreError> {
    let live = store::live_secrets(tx, client.tenant, &client.id, env.now()).await?;
    Ok(is_among(keys, client, presented, &live))
}

/// The same of digests at hand.
pub(super) fn is_among(
    keys: &Keys,
    client: &Client,
    presented: &SecretString,
    live: &[Vec<u8>],
) -> bool {
    let digest = digest(keys, client.tenant, &client.id, presented);
    live.iter()
        .fold(false, |found, stored| digest.matches(stored) | found)
}

async fn give_secret(
    tx: &mut Tx<Identity>,
    env: &Env,
    keys: &Keys,
    tenant: TenantId,
    id: &ClientId,
) -> Result<ShownSecret, StoreError> {
    let random = zeroize::Zeroizing::new(env.random_bytes::<32>());
    let secret: SecretString = format!(
        "{SECRET_PREFIX}{}",
        URL_SAFE_NO_PAD.encode(random.as_slice())
    )
    .into();
    let digest = digest(keys, tenant, id, &secret);
    store::insert_secret(tx, tenant, id, &digest, env.now()).await?;
    Ok(ShownSecret(secret))
}

fn digest(keys: &Keys, tenant: TenantId, id: &ClientId, secret: &SecretString) -> KeyedDigest {
    let secret = secret.expose_secret().as_bytes();
    keys.lasting_digest(
        "client_secret",
        secret,
        &[tenant.as_uuid().as_bytes(), id.as_str().as_bytes()],
    )
}
