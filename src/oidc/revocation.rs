//! `POST /revoke` (RFC 7009): a client is done with a token, and so with everything of its family.
//!
//! A hint of the wrong type changes nothing: the two types can't be taken for one another. Success
//! is said after the commit alone (fosite CVE-2020-15223): what fails is 503, and may be tried
//! again.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::delegation::service as proxies;
use crate::http::form::{Malformed, Parameters, RequestParameters};
use crate::http::oauth_error::{OAuthError, OAuthErrorCode};
use crate::ids::{ClientId, DelegationId, ImpersonationId, SubjectId, TenantSessionId};
use crate::impersonation::answers;
use crate::oidc::client::Client;
use crate::oidc::client::authentication::authenticate;
use crate::oidc::family::refresh_token::PresentedRefreshToken;
use crate::oidc::family::revocation::{self, Revocation};
use crate::oidc::token::access_token::{self, Behind, Claims};
use crate::oidc::token::malformed_form;
use crate::sessions::service as sessions;

/// `POST /revoke`, by a client as at the token endpoint: a public one names itself.
pub async fn revoke(
    State(app): State<App>,
    headers: HeaderMap,
    RequestParameters(form): RequestParameters,
) -> Response {
    let form = match form {
        Ok(form) => form,
        Err(Malformed::ContentType) => return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
        Err(malformed) => return malformed_form(malformed).into_response(),
    };
    match settle(&app, &headers, &form).await {
        Ok(()) => {
            let no_store = HeaderValue::from_static("no-store");
            (StatusCode::OK, [(CACHE_CONTROL, no_store)]).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// `Ok`: the token, if it ever was one, is good for nothing any more.
async fn settle(app: &App, headers: &HeaderMap, form: &Parameters) -> Result<(), OAuthError> {
    let client = authenticate(app, headers, form).await?.0;
    form.one("token_type_hint").map_err(malformed_form)?;
    let token = form.one("token").map_err(malformed_form)?;
    let token = token.ok_or_else(|| OAuthError::field("token", "missing"))?;
    let outcome = if let Some(presented) = PresentedRefreshToken::parse(token) {
        end_by_refresh_token(app, &client, &presented).await?
    } else if let Some(token) = access_token::read(app, token) {
        let claims = token.claims;
        match claims.behind() {
            Behind::Session(sid) => end_by_access_token(app, &client, &claims, sid).await?,
            Behind::Grant { actor, grant } => {
                end_by_acting_token(app, &client, &claims, (actor, grant)).await?
            }
            // What a service holds ends by itself, in minutes.
            Behind::Client => return Err(unsupported("a service's access token")),
            Behind::Delegation(delegation) => {
                end_by_proxys_token(app, &client, &claims, delegation).await?
            }
            Behind::Unknown => return Err(unsupported("an actor's access token")),
        }
    } else {
        Revocation::Unknown
    };
    match outcome {
        // RFC 7009 §2.2: the client can do nothing about a token that is unknown.
        Revocation::Ended | Revocation::Unknown => Ok(()),
        Revocation::OtherClients => Err(OAuthError::invalid_grant("another client's token")),
    }
}

fn unsupported(detail: &'static str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::UnsupportedTokenType, detail)
}

async fn end_by_refresh_token(
    app: &App,
    client: &Client,
    presented: &PresentedRefreshToken,
) -> Result<Revocation, StoreError> {
    let authority = Authority::<Identity>::presented_in(presented.tenant());
    app.db
        .run(authority, async |tx| {
            let outcome = revocation::by_refresh_token(tx, app, &client.id, presented).await?;
            if outcome == Revocation::OtherClients {
                record_stranger(tx, app, &client.id).await?;
            }
            Ok(outcome)
        })
        .await
}

async fn end_by_access_token(
    app: &App,
    client: &Client,
    claims: &Claims,
    sid: TenantSessionId,
) -> Result<Revocation, StoreError> {
    let subject = SubjectId::from_uuid(claims.sub);
    let is_its_own = claims.client_id == client.id.as_str();
    let authority = Authority::<Identity>::presented_in(claims.tid);
    app.db
        .run(authority, async |tx| {
            if !is_its_own {
                record_stranger(tx, app, &client.id).await?;
                return Ok(Revocation::OtherClients);
            }
            match sessions::session_of(tx, sid).await? {
                Some(session) => {
                    let of = (session, subject);
                    revocation::by_access_token(tx, app, &client.id, of).await
                }
                None => Ok(Revocation::Unknown),
            }
        })
        .await
}

/// The actor's app is done with a token under `act`: so is he with the grant, as if he had ended
/// it. It has no family, and a token of it is not known by itself.
async fn end_by_acting_token(
    app: &App,
    client: &Client,
    claims: &Claims,
    (actor, grant): (SubjectId, ImpersonationId),
) -> Result<Revocation, StoreError> {
    if claims.client_id != client.id.as_str() {
        return refuse_stranger(app, client, claims).await;
    }
    let end = async |tx: &mut Tx<Identity>| answers::end_by_actor(tx, app, actor, grant).await;
    app.db.run(Authority::agent(actor), end).await?;
    Ok(Revocation::Ended)
}

/// A proxy's app is done with a token, and so with all that was given under the delegation until
/// now. The delegation stands on paper, and is no app's to end.
async fn end_by_proxys_token(
    app: &App,
    client: &Client,
    claims: &Claims,
    delegation: DelegationId,
) -> Result<Revocation, StoreError> {
    if claims.client_id != client.id.as_str() {
        return refuse_stranger(app, client, claims).await;
    }
    let of = (claims.tid, delegation);
    let end = async |tx: &mut Tx<Identity>| proxies::end_tokens(tx, app, of, &client.id).await;
    let authority = Authority::<Identity>::presented_in(claims.tid);
    app.db.run(authority, end).await?;
    Ok(Revocation::Ended)
}

/// Another client's token under `act`.
async fn refuse_stranger(
    app: &App,
    client: &Client,
    claims: &Claims,
) -> Result<Revocation, StoreError> {
    let authority = Authority::<Identity>::presented_in(claims.tid);
    let record = async |tx: &mut Tx<Identity>| record_stranger(tx, app, &client.id).await;
    app.db.run(authority, record).await?;
    Ok(Revocation::OtherClients)
}

async fn record_stranger(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &ClientId,
) -> Result<(), StoreError> {
    let detail = json!({ "client_id": client, "reason": "another client's token" });
    audit::append(tx, &app.env, &app.keys, EventType::ClientRejected, detail).await
}
