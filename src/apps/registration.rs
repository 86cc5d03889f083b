//! How the apps are known to the issuer: as confidential clients of the platform's own tenant,
//! like any other, with a secret that only this plane's rows hold, as ciphertext.

use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::model::Kind;
use super::{api, routes, service, sites, store};
use crate::app::App;
use crate::db::{Authority, Identity, Job, StoreError, Tx};
use crate::ids::{ClientId, TenantId};
use crate::oidc::client::model::ShownSecret;
use crate::oidc::client::policy::RegistrationRefusal;
use crate::oidc::client::service::{self as clients, RegisterOutcome, RotateOutcome};
use crate::oidc::client::{
    AuthMethod, ClientKind, ClientName, IdTokenAlg, NewClient, Profile, RedirectUri,
};
use crate::pages::paths;

/// Why an app can't be a client.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The operator's: nobody registered it.
    #[error("the {0} app is not registered: a process that serves the identity plane does it")]
    NotRegistered(&'static str),
    /// Ours: its secret was wrapped by another master key.
    #[error("the {0} app's secret can't be opened with this master key")]
    Sealed(&'static str),
    /// Ours: the parts do not agree.
    #[error("the {0} app can't be registered: {1}")]
    Refused(&'static str, String),
    /// The database failed.
    #[error("the app's registration can't be read or written")]
    Store(#[from] StoreError),
}

/// Registers an app for its own host and these clinics', and keeps its secret. Repeatable: one that
/// is registered takes the addresses, and one whose secret we no longer have gets a new one.
pub async fn register(app: &App, kind: Kind, slugs: &[&str]) -> Result<(), RegistrationError> {
    let refused = |why: String| RegistrationError::Refused(kind.word(), why);
    let new = client(app, kind, slugs).map_err(refused)?;
    let authority = || Authority::job_in(Job::AdministerClients, TenantId::PLATFORM);
    if find(app, kind).await?.is_some() {
        let taking_over = app.db.run(authority(), async |tx| {
            clients::replace_addresses(tx, &app.env, &app.keys, &new).await
        });
        taking_over
            .await?
            .map_err(|refusal| refused(refusal.to_string()))?;
        return Ok(());
    }
    let registering = app
        .db
        .run(authority(), async |tx| register_anew(tx, app, &new).await);
    let shown = registering
        .await?
        .map_err(|refusal| refused(refusal.to_string()))?;
    let shown = shown.ok_or_else(|| refused("its id is another client's".to_owned()))?;
    keep(app, kind, shown.secret()).await
}

async fn register_anew(
    tx: &mut Tx<Identity>,
    app: &App,
    new: &NewClient,
) -> Result<Result<Option<ShownSecret>, RegistrationRefusal>, StoreError> {
    match clients::register(tx, &app.env, &app.keys, new).await? {
        RegisterOutcome::Registered(secret) => Ok(Ok(secret)),
        RegisterOutcome::Refused(refusal) => Ok(Err(refusal)),
        RegisterOutcome::IdTaken => {
            let named = (new.tenant, &new.id);
            let overlap = time::Duration::ZERO;
            let rotated = clients::rotate_secret(tx, &app.env, &app.keys, named, overlap).await?;
            Ok(Ok(match rotated {
                RotateOutcome::Rotated { secret, .. } => Some(secret),
                RotateOutcome::Unknown | RotateOutcome::NoSecret => None,
            }))
        }
    }
}

/// The secret that [`register`] kept.
pub async fn secret(app: &App, kind: Kind) -> Result<SecretString, RegistrationError> {
    let sealed = find(app, kind)
        .await?
        .ok_or(RegistrationError::NotRegistered(kind.word()))?;
    let plain = app.keys.unwrap(&place(app, kind), &sealed);
    let text = plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok());
    text.map(SecretString::from)
        .ok_or(RegistrationError::Sealed(kind.word()))
}

async fn find(app: &App, kind: Kind) -> Result<Option<Vec<u8>>, StoreError> {
    let id = credential(app, kind);
    app.db
        .run(service::authority(id).read_only(), async |tx| {
            store::find_credential(tx, id).await
        })
        .await
}

async fn keep(app: &App, kind: Kind, secret: &SecretString) -> Result<(), RegistrationError> {
    let id = credential(app, kind);
    let plain = secret.expose_secret().as_bytes();
    let sealed = app.keys.wrap(&app.env, &place(app, kind), plain);
    app.db
        .run(service::authority(id), async |tx| {
            store::keep_credential(tx, id, &sealed, app.env.now()).await
        })
        .await?;
    Ok(())
}

fn credential(app: &App, kind: Kind) -> Uuid {
    app.keys.locator("app credential", kind.word())
}

fn place(app: &App, kind: Kind) -> String {
    format!("apps.credential/{}/sealed", credential(app, kind))
}

fn client(app: &App, kind: Kind, slugs: &[&str]) -> Result<NewClient, String> {
    let url = &super::settings(&app.config, kind).url;
    let slugs = if kind.is_a_clinics() { slugs } else { &[] };
    let hosts = || std::iter::once(None).chain(slugs.iter().copied().map(Some));
    let at = |slug: Option<&str>, path: &str| {
        let address = format!("{}{path}", sites::origin_of(url, slug));
        RedirectUri::parse(&address).map_err(|why| format!("{address}: {why}"))
    };
    let own = |path: &str| at(None, path);
    let addresses = |path: &str| -> Result<Vec<RedirectUri>, String> {
        hosts().map(|slug| at(slug, path)).collect()
    };
    Ok(NewClient {
        tenant: TenantId::PLATFORM,
        id: ClientId::parse(kind.client_id()).expect("a constant"),
        name: ClientName::parse(kind.name()).expect("a constant"),
        kind: ClientKind::Web,
        profile: Profile::Strict,
        auth_method: AuthMethod::ClientSecretBasic,
        id_token_alg: IdTokenAlg::Rs256,
        redirect_uris: addresses(routes::CALLBACK)?,
        post_logout_redirect_uris: addresses(paths::SIGNED_OUT)?,
        initiate_login_uri: Some(own(paths::APP_SIGN_IN)?),
        origins: Vec::new(),
        scopes: kind
            .scopes()
            .iter()
            .map(|&scope| scope.to_owned())
            .collect(),
        audiences: vec![api::audience(app.issuer())],
        app: Some(kind.word().to_owned()),
        is_first_party: true,
    })
}
