use std::error::Error;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Json, Router};
use lanyard_verifier::{
    Guard, HttpActivitySink, HttpKeySource, Permissions, TenantDirectory, Verified, Verifier,
};
use serde_json::{Value, json};

pub(crate) fn visits_api(
    issuer: &str,
    audience: &str,
    activity: HttpActivitySink,
    clinics: impl TenantDirectory + 'static,
) -> Result<Router, Box<dyn Error>> {
    let verifier = Verifier::builder(issuer, audience)
        .keys(HttpKeySource::new(issuer)?)
        .activity(activity)
        .permissions(Permissions::new().role("patient", ["visits.visit.read"]))
        .build()?;
    let may_read = Guard::scope("visits:read").and(Guard::permission("visits.visit.read"));
    let lately = Guard::max_age(Duration::from_mins(5));
    let with_factor = Guard::acr(["urn:lanyard:acr:mfa"]);
    let own_clinic = Guard::tenant_in_path("/clinics/{clinic}", clinics);
    Ok(Router::new()
        .route("/visits", get(visits).route_layer(may_read.clone()))
        .route(
            "/clinics/{clinic}/visits",
            get(visits).route_layer(may_read.clone().and(own_clinic)),
        )
        .route(
            "/notes",
            post(visits).route_layer(may_read.clone().and(lately)),
        )
        .route(
            "/letters",
            post(visits).route_layer(may_read.and(with_factor)),
        )
        .layer(verifier.layer()))
}

async fn visits(caller: Verified) -> Json<Value> {
    Json(json!({ "clinic": caller.tenant(), "person": caller.subject() }))
}
