//! Signing in at the issuer: pages, refusals, guesses.

mod answers;
mod chooser;
mod cookies;
mod forged;
mod guessing;
mod pages;
mod path;

use lanyard::ids::TenantId;
use lanyard::oidc::interaction::{AuthorizeRequest, Pending, Purpose};
use uuid::Uuid;

use crate::lab::{Browser, Lab};

/// A request of an app that waits for the browser's person; gives its `flow`.
pub(crate) async fn waiting_request(
    lab: &Lab,
    browser: &Browser,
    tenant: Option<TenantId>,
) -> Uuid {
    if browser.cookie("__Host-lanyard_browser").is_none() {
        browser.get("/account").await;
    }
    let cookie = browser.cookie("__Host-lanyard_browser").unwrap();
    let request = AuthorizeRequest {
        client_id: "patient-portal".into(),
        redirect_uri: "https://app.example.test/callback".into(),
        state: Some("state".into()),
        nonce: None,
        scopes: vec!["openid".into()],
        code_challenge: None,
        prompt: vec![],
        max_age: None,
        acr_values: vec![],
        login_hint: Some("hinted@example.test".into()),
        hint: None,
        audience: "api".into(),
    };
    let pending = Pending {
        purpose: Purpose::Authorize(Box::new(request)),
        client_name: Some("Patient portal".into()),
        tenant,
        clinic: None,
        login: None,
        has_chosen: false,
        anew: false,
    };
    let id = lab.app.env.random_uuid();
    sqlx::query(
        "insert into identity.interaction
           (interaction_id, browser_digest, request, created_at, expires_at)
         values ($1, $2, $3, $4, $4 + interval '10 minutes')",
    )
    .bind(id)
    .bind(
        lab.app
            .keys
            .digest("browser", cookie.as_bytes(), &[])
            .as_bytes(),
    )
    .bind(serde_json::to_value(pending).unwrap())
    .bind(lab.now())
    .execute(&mut lab.database.superuser().await)
    .await
    .unwrap();
    id
}
