//! Apps that stand beside our own in the demo: clients of the platform's, each with a secret.

use secrecy::ExposeSecret as _;

use super::DemoError;
use crate::app::App;
use crate::db::{Authority, Identity, Job, StoreError, Tx};
use crate::ids::{ClientId, TenantId};
use crate::oidc::client::service::{self as clients, RegisterOutcome, RotateOutcome};
use crate::oidc::client::{
    AuthMethod, ClientKind, ClientName, IdTokenAlg, NewClient, Profile, RedirectUri,
};

/// As what the issuer knows one of them.
#[derive(Debug)]
pub(super) struct KnownAs {
    pub(super) id: &'static str,
    /// What people read.
    pub(super) name: &'static str,
    /// Where codes come to, at the issuer's own address.
    pub(super) back_to: &'static str,
    pub(super) scopes: &'static [&'static str],
    /// Whether it is the platform's own, and nobody is asked.
    pub(super) is_first_party: bool,
}

/// Registers it, or gives one that is registered another secret; says which.
pub(super) async fn register(app: &App, known_as: &KnownAs) -> Result<String, DemoError> {
    let contradiction = DemoError::Contradiction("a client that can't be registered");
    let back_to = format!("{}{}", app.issuer(), known_as.back_to);
    let Ok(redirect) = RedirectUri::parse(&back_to) else {
        return Err(contradiction);
    };
    let new = NewClient {
        tenant: TenantId::PLATFORM,
        id: ClientId::parse(known_as.id).expect("a constant"),
        name: ClientName::parse(known_as.name).expect("a constant"),
        kind: ClientKind::Web,
        profile: Profile::Strict,
        auth_method: AuthMethod::ClientSecretBasic,
        id_token_alg: IdTokenAlg::Rs256,
        redirect_uris: vec![redirect],
        post_logout_redirect_uris: Vec::new(),
        initiate_login_uri: None,
        origins: Vec::new(),
        scopes: known_as.scopes.iter().map(|&s| s.to_owned()).collect(),
        audiences: vec![crate::apps::api::audience(app.issuer())],
        app: None,
        is_first_party: known_as.is_first_party,
    };
    let authority = Authority::job_in(Job::AdministerClients, TenantId::PLATFORM);
    let secret = app
        .db
        .run(authority, async |tx| give_secret(tx, app, &new).await)
        .await?;
    secret.ok_or(contradiction)
}

/// The secret of a client that is registered now, or was before a crash.
async fn give_secret(
    tx: &mut Tx<Identity>,
    app: &App,
    new: &NewClient,
) -> Result<Option<String>, StoreError> {
    let (env, keys) = (&app.env, &app.keys);
    let shown = match clients::register(tx, env, keys, new).await? {
        RegisterOutcome::Registered(secret) => secret,
        RegisterOutcome::Refused(_) => None,
        RegisterOutcome::IdTaken => {
            let named = (new.tenant, &new.id);
            match clients::rotate_secret(tx, env, keys, named, time::Duration::ZERO).await? {
                RotateOutcome::Rotated { secret, .. } => Some(secret),
                RotateOutcome::Unknown | RotateOutcome::NoSecret => None,
            }
        }
    };
    Ok(shown.map(|shown| shown.secret().expose_secret().to_owned()))
}
