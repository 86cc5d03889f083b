//! `/api/v1`: the domain modules behind the verifier, as any other API would stand.
//!
//! Every route names one permission key; [`ROUTES`] is the list, and a route that is not on it is
//! not mounted. The same routes stand under `/api/v1/clinics/{clinic}`, where a token of another
//! clinic is refused (JWT-16).

mod inside;

use std::collections::HashMap;

use axum::Router;
use axum::routing::{MethodRouter, get};
use lanyard_verifier::{Guard, Permissions, Verifier};

use crate::app::App;
use crate::db::{Authority, Identity, Job, StoreError};
use crate::identity::membership::store as membership;
use crate::{tenancy, visits};

/// Path, scope, permission key.
pub const ROUTES: [(&str, &str, &str); 4] = [
    ("/me", "profile:read", "tenancy.profile.read"),
    ("/clinic", "tenancy:read", "tenancy.clinic.read"),
    ("/members", "tenancy:read", "tenancy.member.read"),
    ("/visits", "visits:read", "visits.visit.read"),
];

fn handler(path: &str) -> MethodRouter<App> {
    match path {
        "/me" => get(tenancy::members::routes::me),
        "/clinic" => get(tenancy::members::routes::clinic),
        "/members" => get(tenancy::members::routes::members),
        "/visits" => get(visits::routes::list),
        // A unit test mounts the whole list.
        other => unreachable!("{other} is on the list without a handler"),
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
    let permissions = permissions(app).await?;
    let verifier = Verifier::builder(app.issuer(), audience(app))
        .keys(inside::RingSource(app.clone()))
        .clock(inside::AppClock(app.clone()))
        .activity(inside::InsideSink(app.clone()))
        .permissions(permissions)
        .resource(audience(app))
        .resource_name("Lanyard API")
        .scopes_supported(ROUTES.map(|(_, scope, _)| scope))
        .build()
        .expect("issuer and audience are not empty");
    let mut api = Router::new();
    for (path, scope, permission) in ROUTES {
        let guard = || Guard::scope(scope).and(Guard::permission(permission));
        let in_clinic = guard().and(Guard::tenant_in_path(
            &format!("/api/v1/clinics/{{clinic}}{path}"),
            inside::Directory(app.clone()),
        ));
        api = api
            .route(
                &format!("/api/v1{path}"),
                handler(path).route_layer(guard()),
            )
            .route(
                &format!("/api/v1/clinics/{{clinic}}{path}"),
                handler(path).route_layer(in_clinic),
            );
    }
    let metadata = verifier.metadata_path().to_owned();
    Ok(api
        .layer(verifier.layer())
        .route_service(&metadata, verifier.metadata_service()))
}

async fn permissions(app: &App) -> Result<Permissions, StoreError> {
    let authority = Authority::<Identity>::job(Job::KeyRing).read_only();
    let pairs = app
        .db
        .run(authority, async |tx| {
            membership::list_role_permissions(tx).await
        })
        .await?;
    let mut table: HashMap<String, Vec<String>> = HashMap::new();
    for (role, permission) in pairs {
        table.entry(role).or_default().push(permission);
    }
    Ok(table
        .into_iter()
        .fold(Permissions::new(), |all, (role, keys)| all.role(role, keys)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_on_the_list_has_a_handler() {
        for (path, _, _) in ROUTES {
            drop(handler(path));
        }
    }
}
