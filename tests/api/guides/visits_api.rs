use std::error::Error;
use std::time::Duration;

use axum::extract::MatchedPath;
use axum::routing::{get, post};
use axum::{Json, Router};
use lanyard_verifier::{
    Guard, HttpActivitySink, HttpIntrospector, HttpKeySource, HttpRecorder, HttpRevocationSource,
    Permissions, TenantDirectory, Verified, Verifier, WhenStale,
};
use serde_json::{Value, json};

pub(crate) fn visits_api(
    issuer: &str,
    audience: &str,
    (id, secret): (&str, &str),
    clinics: impl TenantDirectory + 'static,
) -> Result<Router, Box<dyn Error>> {
    let verifier = Verifier::builder(issuer, audience)
        .keys(HttpKeySource::new(issuer)?)
        .revocations(HttpRevocationSource::new(issuer, id, secret)?)
        .introspection(HttpIntrospector::new(issuer, id, secret)?)
        .when_stale(WhenStale::Introspect)
        .activity(HttpActivitySink::new(issuer, id, secret)?)
        .recorder(HttpRecorder::new(issuer, id, secret)?)
        .route_template(|parts| Some(parts.extensions.get::<MatchedPath>()?.as_str().to_owned()))
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
