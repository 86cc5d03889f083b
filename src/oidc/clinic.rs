//! What anybody may know of a clinic: its name and color, so that an app can wear them before
//! anyone signs in.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use serde_json::json;

use crate::app::App;
use crate::db::{Authority, StoreError};
use crate::http::problem::Problem;
use crate::identity::membership::{Clinic, store as membership};
use crate::ids::TenantId;

/// `GET /clinics/{name}`: the face of the clinic with that slug or id. Public, as the sign-in page
/// is; unknown and suspended clinics are the same 404.
pub async fn clinic(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Problem> {
    let clinic = find(&app, &name).await?.ok_or(Problem::NotFound)?;
    let body = json!({
        "id": clinic.tenant_id,
        "slug": clinic.slug,
        "name": clinic.name,
        "accent": clinic.accent,
    });
    let mut response = Json(body).into_response();
    let a_minute = HeaderValue::from_static("public, max-age=60");
    response.headers_mut().insert(CACHE_CONTROL, a_minute);
    Ok(response)
}

/// Sees the one clinic that the name leads to: by the slug's claim, or in the tenant's own
/// transaction.
async fn find(app: &App, name: &str) -> Result<Option<Clinic>, StoreError> {
    let found = if let Ok(tenant) = name.parse::<TenantId>() {
        let authority = Authority::presented_in(tenant).read_only();
        let work = async |tx: &mut _| membership::find_clinic_by_id(tx, tenant).await;
        app.db.run(authority, work).await?
    } else {
        let authority = Authority::claim(app.keys.locator("slug", name)).read_only();
        app.db
            .run(authority, async |tx| {
                membership::find_clinic(tx, name).await
            })
            .await?
    };
    Ok(found.filter(|clinic| clinic.is_active && clinic.tenant_id != TenantId::PLATFORM))
}
