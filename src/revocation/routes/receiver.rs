//! Which receiver of shared signals asks: by its client's own credentials, or by an access token
//! that it was given for itself.

use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use super::subscriber;
use crate::app::App;
use crate::db::StoreError;
use crate::http::bearer::{BearerError, bearer};
use crate::http::oauth_error::OAuthError;
use crate::ids::ClientId;
use crate::oidc::introspection;
use crate::oidc::scope::SSF_MANAGE;
use crate::oidc::token::access_token::{self, Behind};
use crate::oidc::token::client_credentials::ssf_audience;
use crate::revocation::model::Subscriber;
use crate::revocation::receiver::service::resource_server;

/// Why not, in the words of what was shown.
pub(super) enum Denied {
    Client(OAuthError),
    Token(BearerError),
}

impl From<OAuthError> for Denied {
    fn from(error: OAuthError) -> Self {
        Self::Client(error)
    }
}

impl From<BearerError> for Denied {
    fn from(error: BearerError) -> Self {
        Self::Token(error)
    }
}

impl From<StoreError> for Denied {
    fn from(error: StoreError) -> Self {
        Self::Client(error.into())
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::Client(error) => error.into_response(),
            Self::Token(error) => error.into_response(),
        }
    }
}

/// The receiver that asks.
///
/// - `needs`: the scope that a token must have; credentials open everything
pub(super) async fn receiver(
    app: &App,
    headers: &HeaderMap,
    needs: &'static str,
) -> Result<Subscriber, Denied> {
    match bearer(headers) {
        Ok(Some(token)) => Ok(by_token(app, token, needs).await?),
        // No token: whatever else is there is judged as everywhere.
        Ok(None) | Err(_) => Ok(subscriber(app, headers).await?),
    }
}

async fn by_token(app: &App, token: &str, needs: &'static str) -> Result<Subscriber, BearerError> {
    let read = access_token::read(app, token).ok_or(BearerError::Invalid)?;
    let claims = read.claims;
    if claims.behind() != Behind::Client || claims.aud != ssf_audience(app) {
        return Err(BearerError::Invalid);
    }
    let id = ClientId::parse(&claims.client_id).ok_or(BearerError::Invalid)?;
    if !introspection::is_active(app, token).await? {
        return Err(BearerError::Invalid);
    }
    if !claims
        .scope
        .split(' ')
        .any(|has| [needs, SSF_MANAGE].contains(&has))
    {
        return Err(BearerError::Insufficient(needs));
    }
    let found = resource_server(app, &id).await?;
    let its_own = found.filter(|subscriber| subscriber.tenant == claims.tid);
    its_own.ok_or(BearerError::Invalid)
}
