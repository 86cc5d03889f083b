//! `grant_type=client_credentials`: a service for itself, and a receiver of shared signals for its
//! stream (RFC 6749 §4.4).

use serde_json::json;

use super::{TokenResponse, malformed_form, minting};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError};
use crate::http::form::Parameters;
use crate::http::oauth_error::{OAuthError, OAuthErrorCode};
use crate::identity::membership::store as membership;
use crate::oidc::client::{Client, ClientKind};
use crate::oidc::scope::{SSF_MANAGE, SSF_READ};

/// The `aud` of tokens by which a receiver manages its stream (OpenID SSF 1.0 §8).
pub(crate) fn ssf_audience(app: &App) -> String {
    format!("{}/ssf", app.issuer())
}

/// What a client may have for itself.
struct Own {
    scopes: Vec<String>,
    audiences: Vec<String>,
}

impl Own {
    fn of(app: &App, client: &Client) -> Option<Self> {
        match client.kind {
            ClientKind::Service => Some(Self {
                scopes: client.scopes.clone(),
                audiences: client.audiences.clone(),
            }),
            ClientKind::Resource => Some(Self {
                scopes: [SSF_READ, SSF_MANAGE].map(str::to_owned).into(),
                audiences: vec![ssf_audience(app)],
            }),
            ClientKind::Web | ClientKind::Spa | ClientKind::Native => None,
        }
    }
}

/// Issues an access token for the client's own scopes and one of its resources.
///
/// # Errors
/// `unauthorized_client` for a client that acts for people or whose clinic is suspended;
/// `invalid_scope` beyond what it has; `invalid_target` for a resource not its own.
pub async fn issue(
    app: &App,
    client: &Client,
    form: &Parameters,
) -> Result<TokenResponse, OAuthError> {
    let Some(own) = Own::of(app, client) else {
        let detail = "only a service acts for itself";
        return Err(OAuthError::new(OAuthErrorCode::UnauthorizedClient, detail));
    };
    let asked = form.one("scope").map_err(malformed_form)?;
    let scopes: Vec<String> = match asked {
        None => own.scopes.clone(),
        Some(words) => words
            .split(' ')
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    if scopes.is_empty() || !scopes.iter().all(|scope| own.scopes.contains(scope)) {
        return Err(OAuthError::new(
            OAuthErrorCode::InvalidScope,
            "beyond what it has",
        ));
    }
    let mut resources = form.all("resource");
    let audience = match (resources.next(), resources.next()) {
        (None, _) => own.audiences.first(),
        (Some(asked), None) => own.audiences.iter().find(|known| *known == asked),
        (Some(_), Some(_)) => None,
    };
    let target = || OAuthError::new(OAuthErrorCode::InvalidTarget, "not one of its resources");
    let audience = audience.ok_or_else(target)?;
    if record(app, client, &scopes).await? {
        Ok(minting::service(app, client, &scopes, audience))
    } else {
        let detail = "its clinic is suspended";
        Err(OAuthError::new(OAuthErrorCode::UnauthorizedClient, detail))
    }
}

/// Whether its clinic is served; the answer is on the record either way.
async fn record(app: &App, client: &Client, scopes: &[String]) -> Result<bool, StoreError> {
    let authority = Authority::<Identity>::presented_in(client.tenant);
    app.db
        .run(authority, async |tx| {
            let clinic = membership::find_clinic_by_id(tx, client.tenant).await?;
            let is_served = clinic.is_some_and(|clinic| clinic.is_active);
            let (event, detail) = if is_served {
                let detail = json!({ "client_id": client.id, "scopes": scopes });
                (EventType::TokenIssued, detail)
            } else {
                let detail = json!({ "client_id": client.id, "reason": "tenant_suspended" });
                (EventType::ClientRejected, detail)
            };
            audit::append(tx, &app.env, &app.keys, event, detail).await?;
            Ok(is_served)
        })
        .await
}
