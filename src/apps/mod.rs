//! Four apps of our own as relying parties: patient portal, clinician portal, clinic console and
//! platform console.
//!
//! Invariants
//! 1. They speak to the issuer and its API over HTTP alone, with client id and secret, as
//!    anybody's app would. They see no row of another plane.
//! 2. Tokens never reach a browser: it holds a cookie, our row holds ciphertext.
//! 3. A sign-in under way belongs to one browser and one app, and is spent once.
//! 4. At most one refresh of a session is under way, on whatever replica; after a lost answer the
//!    same refresh token is shown again.
//! 5. Only what a person does is marked as activity: never a poll, never a refresh.
//! 6. A clinic's host shows that clinic's session or none.
//! 7. The platform console has no clinic's host and nobody's session but the platform's staff's.

pub mod api;
pub mod calls;
pub mod care;
pub mod grants;
pub mod model;
pub mod oidc;
pub mod policy;
pub mod proving;
pub mod record;
pub mod registration;
pub mod routes;
pub mod service;
pub mod sites;
pub mod staff;
pub mod standing;
pub(crate) mod store;
pub mod words;

use std::sync::Arc;

use axum::Router;

pub use model::Kind;
use registration::RegistrationError;

use crate::app::App;
use crate::config;

/// One app: what its handlers use. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    inner: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    kind: Kind,
    app: App,
    oidc: oidc::Oidc,
    api: api::Api,
    sites: sites::Sites,
}

impl RelyingParty {
    /// With the secret that [`registration::register`] kept.
    pub async fn open(app: &App, kind: Kind) -> Result<Self, RegistrationError> {
        let secret = registration::secret(app, kind).await?;
        let caller = calls::Caller::new();
        let oidc = oidc::Oidc::new(
            app.issuer(),
            (kind.client_id(), kind.scopes()),
            secret,
            caller.clone(),
            app.env.clone(),
        );
        let api = api::Api::new(app.config.issuer.url().clone(), caller);
        let sites = sites::Sites::new(settings(&app.config, kind), kind);
        Ok(Self {
            inner: Arc::new(Parts {
                kind,
                app: app.clone(),
                oidc,
                api,
                sites,
            }),
        })
    }

    /// Which app.
    pub fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// The process it runs in.
    pub fn app(&self) -> &App {
        &self.inner.app
    }

    /// Its face to the issuer.
    pub fn oidc(&self) -> &oidc::Oidc {
        &self.inner.oidc
    }

    /// Its way to the API.
    pub fn api(&self) -> &api::Api {
        &self.inner.api
    }

    /// Its hosts.
    pub fn sites(&self) -> &sites::Sites {
        &self.inner.sites
    }
}

/// The settings of one app.
pub const fn settings(config: &config::Config, kind: Kind) -> &config::App {
    match kind {
        Kind::Patient => &config.apps.patient,
        Kind::Clinician => &config.apps.clinician,
        Kind::Console => &config.apps.console,
        Kind::Platform => &config.apps.platform,
    }
}

/// All apps, each with its router.
pub async fn routers(app: &App) -> Result<Vec<(Kind, Router)>, RegistrationError> {
    let mut routers = Vec::new();
    for kind in Kind::ALL {
        routers.push((kind, router(app, kind).await?));
    }
    Ok(routers)
}

/// One app's router.
pub async fn router(app: &App, kind: Kind) -> Result<Router, RegistrationError> {
    RelyingParty::open(app, kind)
        .await
        .map(|rp| routes::router(&rp))
}
