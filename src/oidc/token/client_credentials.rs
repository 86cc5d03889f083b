//! `grant_type=client_credentials`: a service for itself (RFC 6749 §4.4).

use serde_json::json;

use super::{TokenResponse, malformed_form, minting};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError};
use crate::http::form::Parameters;
use crate::http::oauth_error::{OAuthError, OAuthErrorCode};
use crate::oidc::client::{Client, ClientKind};

/// Issues an access token for the client's own scopes and one of its resources.
///
/// # Errors
/// `unauthorized_client` for a client that acts for people; `invalid_scope` beyond what it has;
/// `invalid_target` for a resource not its own.
pub async fn issue(
    app: &App,
    client: &Client,
    form: &Parameters,
) -> Result<TokenResponse, OAuthError> {
    if client.kind != ClientKind::Service {
        let detail = "only a service acts for itself";
        return Err(OAuthError::new(OAuthErrorCode::UnauthorizedClient, detail));
    }
    let asked = form.one("scope").map_err(malformed_form)?;
    let scopes: Vec<String> = match asked {
        None => client.scopes.clone(),
        Some(words) => words
            .split(' ')
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    if scopes.is_empty() || !scopes.iter().all(|scope| client.scopes.contains(scope)) {
        return Err(OAuthError::new(
            OAuthErrorCode::InvalidScope,
            "beyond what it has",
        ));
    }
    let mut resources = form.all("resource");
    let audience = match (resources.next(), resources.next()) {
        (None, _) => client.audiences.first(),
        (Some(asked), None) => client.audiences.iter().find(|known| *known == asked),
        (Some(_), Some(_)) => None,
    };
    let target = || OAuthError::new(OAuthErrorCode::InvalidTarget, "not one of its resources");
    let audience = audience.ok_or_else(target)?;
    record(app, client, &scopes).await?;
    Ok(minting::service(app, client, &scopes, audience))
}

async fn record(app: &App, client: &Client, scopes: &[String]) -> Result<(), StoreError> {
    let authority = Authority::<Identity>::presented_in(client.tenant);
    let detail = json!({ "client_id": client.id, "scopes": scopes });
    app.db
        .run(authority, async |tx| {
            audit::append(tx, &app.env, &app.keys, EventType::TokenIssued, detail).await
        })
        .await
}
