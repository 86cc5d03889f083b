//! The apps as faces of this process: registered for every clinic that there is.

use std::error::Error;

use tokio::sync::Mutex;

use crate::app::App;
use crate::apps::registration::{self, RegistrationError};
use crate::apps::{self, Kind, RelyingParty, routes};
use crate::config::PlaneName;
use crate::db::{Authority, Job, StoreError};
use crate::ids::TenantId;
use crate::tenancy::service as tenants;

use super::{Face, ServeError};

/// The apps that the configuration serves here, registered for the clinics of this moment.
///
/// # Errors
/// [`ServeError::Apps`] if an app can't be registered or its secret can't be opened.
pub async fn faces(app: &App) -> Result<Vec<Face>, ServeError> {
    let kinds = served(app);
    register(app, &kinds, &clinics(app).await?).await?;
    let mut faces = Vec::new();
    for kind in kinds {
        let party = RelyingParty::open(app, kind).await?;
        faces.push(Face {
            what: kind.word(),
            addresses: apps::settings(&app.config, kind).listen.clone(),
            router: routes::router(&party),
            is_public: true,
        });
    }
    Ok(faces)
}

/// The clinics that the apps are registered for.
#[derive(Debug, Default)]
pub(super) struct Followed {
    known: Mutex<Option<Vec<String>>>,
}

impl Followed {
    /// Registers the apps again if there are other clinics than before.
    pub(super) async fn follow(&self, app: &App) -> Result<(), Box<dyn Error + Send + Sync>> {
        let kinds = served(app);
        let mut known = self.known.lock().await;
        let now = clinics(app).await?;
        if !kinds.is_empty() && known.as_ref() != Some(&now) {
            register(app, &kinds, &now).await?;
        }
        *known = Some(now);
        Ok(())
    }
}

/// Which apps this process serves.
fn served(app: &App) -> Vec<Kind> {
    let is_on = |kind: &Kind| !apps::settings(&app.config, *kind).listen.is_empty();
    if app.config.planes.serve(PlaneName::Apps) {
        Kind::ALL.into_iter().filter(is_on).collect()
    } else {
        Vec::new()
    }
}

/// Gives the apps the addresses of these clinics.
pub(super) async fn register(
    app: &App,
    kinds: &[Kind],
    slugs: &[String],
) -> Result<(), RegistrationError> {
    let slugs: Vec<&str> = slugs.iter().map(String::as_str).collect();
    for kind in kinds {
        registration::register(app, *kind, &slugs).await?;
    }
    Ok(())
}

/// The slugs of all clinics, suspended ones too: their people are told so by the issuer.
pub(super) async fn clinics(app: &App) -> Result<Vec<String>, StoreError> {
    const PAGE: u32 = 500;
    let mut slugs: Vec<String> = Vec::new();
    loop {
        let after = slugs.last().cloned().unwrap_or_default();
        let authority = Authority::job(Job::AdministerTenants).read_only();
        let read = async |tx: &mut _| tenants::list(tx, &after, PAGE).await;
        let page = app.db.run(authority, read).await?;
        let is_last = page.len() < PAGE as usize;
        slugs.extend(
            page.into_iter()
                .map(|tenant| (tenant.slug, tenant.id))
                .filter_map(|(slug, id)| (id != TenantId::PLATFORM).then_some(slug)),
        );
        if is_last {
            return Ok(slugs);
        }
    }
}
