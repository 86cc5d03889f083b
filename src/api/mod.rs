//! `/api/v1`: the domain modules behind the verifier, as any other API would stand.
//!
//! Every route names one permission key; [`routes`] is the list, and a route that is not on it is
//! neither mounted nor described. The same routes stand under `/api/v1/clinics/{clinic}`, where a
//! token of another clinic is refused (JWT-16).

mod care;
mod followed;
mod inside;
mod list;
pub mod openapi;
mod platform;

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::MatchedPath;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, get};
use axum::{Router, middleware};
use http::Method;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use lanyard_verifier::{Guard, Permissions, Preset, Verifier, WhenStale};
use tokio::sync::watch;

pub use self::inside::refuse_what_would_write;
pub use self::list::routes;
use self::openapi::Words;
use crate::app::App;
use crate::db::{Authority, Identity, Job, StoreError};
use crate::delegation::Lent;
use crate::http::problem::Problem;
use crate::identity::membership::store as membership;
use crate::oidc::authorize::request::ACR_MFA;
use crate::oidc::scope::Scope;

/// One operation of the API.
#[derive(Debug)]
pub struct Route {
    /// How it is asked.
    pub method: Method,
    /// Below `/api/v1`.
    pub path: &'static str,
    /// What the app must have been granted.
    pub scope: Scope,
    /// What one of the person's roles must carry.
    pub permission: &'static str,
    /// Within what time she must have proved a second factor, if she must (RFC 9470).
    pub step_up: Option<Duration>,
    handler: fn(MethodFilter) -> MethodRouter<App>,
    words: Words,
}

impl Route {
    /// What is asked of every caller, whatever the clinic.
    ///
    /// - `lent`: which preset lends support which keys
    fn guard(&self, lent: &[(Preset, String)]) -> Guard {
        let lends = lent.iter().filter(|(_, key)| key == self.permission);
        let mut guard = Guard::scope(self.scope.name())
            .and(Guard::permission(self.permission))
            .and(Guard::support_under(lends.map(|(preset, _)| *preset)));
        // A grant and a delegation lend keys, and their tokens carry scopes: no other key of the
        // same scope.
        if Lent::parse(self.permission).is_none() {
            guard = guard.and(Guard::without_proxies());
        }
        match self.step_up {
            Some(lately) => guard.and(Guard::acr([ACR_MFA])).and(Guard::max_age(lately)),
            None => guard,
        }
    }

    fn mounted(&self, guard: Guard) -> MethodRouter<App> {
        let method = MethodFilter::try_from(self.method.clone()).expect("a method of the standard");
        (self.handler)(method).route_layer(guard)
    }
}

/// The `aud` of tokens for this API: its address.
pub fn audience(app: &App) -> String {
    format!("{}/api/v1", app.issuer())
}

/// The routes behind their guards.
///
/// # Errors
/// [`StoreError`] if the roles can't be read.
pub async fn router(app: &App) -> Result<Router<App>, StoreError> {
    let (permissions, lent) = catalog(app).await?;
    let verifier = Verifier::builder(app.issuer(), audience(app))
        .keys(inside::RingSource(app.clone()))
        .clock(inside::AppClock(app.clone()))
        .revocations(followed::InsideRevocations(app.clone()))
        .introspection(followed::InsideIntrospection(app.clone()))
        .when_stale(WhenStale::Introspect)
        .activity(inside::InsideSink(app.clone()))
        .recorder(inside::InsideRecorder(app.clone()))
        .route_template(|parts| Some(parts.extensions.get::<MatchedPath>()?.as_str().to_owned()))
        .permissions(permissions)
        .resource(audience(app))
        .resource_name("Lanyard API")
        .scopes_supported(routes().map(|route| route.scope.name()))
        .build()
        .expect("issuer and audience are not empty");
    tokio::spawn(follow_ring(app.ring_changes(), verifier.clone()));
    let mut api = Router::new();
    for route in routes() {
        let path = format!("/api/v1{}", route.path);
        let path_in_clinic = format!("/api/v1/clinics/{{clinic}}{}", route.path);
        let guard = route.guard(&lent);
        let own_clinic = Guard::tenant_in_path(&path_in_clinic, inside::Directory(app.clone()));
        let in_clinic = guard.clone().and(own_clinic);
        api = api
            .route(&path, route.mounted(guard))
            .route(&path_in_clinic, route.mounted(in_clinic));
    }
    let metadata = verifier.metadata_path().to_owned();
    Ok(api
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .layer(middleware::from_fn(inside::refuse_what_would_write))
        .layer(middleware::from_fn(inside::note_caller))
        .layer(verifier.layer())
        .route_service(&metadata, verifier.metadata_service())
        .route(openapi::PATH, get(description())))
}

/// What the API offers, for tools: public, and readable by a page of any origin.
fn description() -> impl IntoResponse + Clone {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=3600"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, axum::body::Bytes::from(openapi::text()))
}

/// A key that was withdrawn opens nothing here any more, whatever the verifier's cache may.
async fn follow_ring(mut changes: watch::Receiver<u64>, verifier: Verifier) {
    while changes.changed().await.is_ok() {
        if let Err(error) = verifier.refresh_keys().await {
            tracing::error!(%error, "the API's copy of the keys was not refreshed");
        }
    }
}

async fn catalog(app: &App) -> Result<(Permissions, Vec<(Preset, String)>), StoreError> {
    let authority = Authority::<Identity>::job(Job::KeyRing).read_only();
    let (pairs, lent) = app
        .db
        .run(authority, async |tx| {
            let pairs = membership::list_role_permissions(tx).await?;
            Ok::<_, StoreError>((pairs, membership::list_lent_permissions(tx).await?))
        })
        .await?;
    let mut table: HashMap<String, Vec<String>> = HashMap::new();
    for (role, permission) in pairs {
        table.entry(role).or_default().push(permission);
    }
    let permissions = table
        .into_iter()
        .fold(Permissions::new(), |all, (role, keys)| all.role(role, keys));
    Ok((permissions, lent))
}
