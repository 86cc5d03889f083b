//! `POST /introspect` (RFC 7662): a resource server asks whether an access token still holds.
//!
//! Invariants
//! 1. Only a registered resource server is told anything, and of a token for another audience, or
//!    of a clinic that is not its own, exactly `{"active":false}`.
//! 2. Active is what the database says now, in one statement: session, family, account, membership,
//!    clinic, client and key; under `act` the grant or delegation in the session's place. Of scope
//!    and roles no more is told than its subject still has, and is still lent.
//! 3. Nothing is written, and nothing of it may be kept by caches (docs/decisions/0026).

mod store;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::app::App;
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::http::form::{Malformed, Parameters, RequestParameters};
use crate::http::oauth_error::OAuthError;
use crate::ids::{SubjectId, TenantId, TenantSessionId};
use crate::oidc::authorize::request::PROTOCOL_SCOPES;
use crate::oidc::client::authentication::authenticate;
use crate::oidc::client::{Client, ClientKind};
use crate::oidc::token::access_token::{self, AccessToken, Behind, Claims};
use crate::oidc::token::malformed_form;
use crate::sessions::service::platform_limits;

/// What its subject still has of what a token says.
struct Standing {
    scopes: Vec<String>,
    roles: Vec<String>,
}

/// RFC 7662 §2.2, of a token that holds.
#[derive(Serialize)]
struct Told<'a> {
    active: bool,
    scope: String,
    client_id: &'a str,
    sub: Uuid,
    tid: TenantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<TenantSessionId>,
    aud: &'a str,
    iss: &'a str,
    exp: i64,
    iat: i64,
    jti: &'a str,
    token_type: &'static str,
    roles: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Value>,
}

/// `POST /introspect`, by HTTP Basic or the like of a resource server.
pub async fn introspect(
    State(app): State<App>,
    headers: HeaderMap,
    RequestParameters(form): RequestParameters,
) -> Response {
    let form = match form {
        Ok(form) => form,
        Err(Malformed::ContentType) => return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
        Err(malformed) => return malformed_form(malformed).into_response(),
    };
    let mut response = match answer(&app, &headers, &form).await {
        Ok(response) => response,
        Err(error) => return error.into_response(),
    };
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

async fn answer(app: &App, headers: &HeaderMap, form: &Parameters) -> Result<Response, OAuthError> {
    let caller = authenticate(app, headers, form).await?.0;
    if caller.kind != ClientKind::Resource {
        return Err(OAuthError::invalid_client("not a resource server"));
    }
    // A hint would only say where to look first (§2.1), and there is one place to look.
    form.one("token_type_hint").map_err(malformed_form)?;
    let token = form.one("token").map_err(malformed_form)?;
    let token = token.ok_or_else(|| OAuthError::field("token", "missing"))?;
    let told = access_token::read(app, token).filter(|token| may_know(&caller, &token.claims));
    let Some(token) = told else {
        return Ok(inactive());
    };
    let standing = stand(app, &token).await?;
    Ok(standing.map_or_else(inactive, |standing| active(app, &token.claims, &standing)))
}

/// Whether a token is the caller's business: for its audience, in a clinic that it serves.
fn may_know(caller: &Client, claims: &Claims) -> bool {
    let serves = [claims.tid, TenantId::PLATFORM].contains(&caller.tenant);
    serves && caller.audiences.contains(&claims.aud)
}

/// RFC 7662 §2.2, of everything else: no word of why.
fn inactive() -> Response {
    Json(json!({ "active": false })).into_response()
}

fn active(app: &App, claims: &Claims, standing: &Standing) -> Response {
    let scopes = claims.scope.split(' ');
    let scopes: Vec<&str> = scopes
        .filter(|scope| {
            PROTOCOL_SCOPES.contains(scope) || standing.scopes.iter().any(|has| has == scope)
        })
        .collect();
    let roles = claims.roles.iter();
    let roles = roles.filter(|role| standing.roles.contains(role));
    let told = Told {
        active: true,
        scope: scopes.join(" "),
        client_id: &claims.client_id,
        sub: claims.sub,
        tid: claims.tid,
        sid: claims.sid,
        aud: &claims.aud,
        iss: app.issuer(),
        exp: claims.exp,
        iat: claims.iat,
        jti: &claims.jti,
        token_type: "Bearer",
        roles: roles.map(String::as_str).collect(),
        acr: claims.acr.as_deref(),
        auth_time: claims.auth_time,
        act: claims.act.as_ref(),
    };
    Json(told).into_response()
}

/// Whether a token of ours holds now, for an API in the issuer's own process.
///
/// # Errors
/// [`StoreError`]: nobody can say.
pub(crate) async fn is_active(app: &App, token: &str) -> Result<bool, StoreError> {
    match access_token::read(app, token) {
        Some(token) => Ok(stand(app, &token).await?.is_some()),
        None => Ok(false),
    }
}

/// What is left of what a token says; `None` if something behind it stands no longer.
async fn stand(app: &App, token: &AccessToken) -> Result<Option<Standing>, StoreError> {
    let Ok(issued_at) = OffsetDateTime::from_unix_timestamp(token.claims.iat) else {
        return Ok(None);
    };
    let authority = Authority::<Identity>::presented_in(token.claims.tid).read_only();
    app.db
        .run(authority, async |tx| match token.claims.behind() {
            Behind::Session(sid) => stand_person(tx, app, token, sid, issued_at).await,
            Behind::Grant { grant, .. } => {
                let asked = store::Asked::of(token, issued_at);
                let found = store::find_acted(tx, &asked, grant, app.env.now()).await?;
                Ok(found.and_then(lent))
            }
            Behind::Delegation(delegation) => {
                let asked = store::Asked::of(token, issued_at);
                let found = store::find_delegated(tx, &asked, delegation, app.env.now()).await?;
                Ok(found.and_then(lent))
            }
            Behind::Client => stand_service(tx, token, issued_at).await,
            Behind::Unknown => Ok(None),
        })
        .await
}

/// What is lent still to who acts.
fn lent(acted: store::Acted) -> Option<Standing> {
    let store::Acted {
        rest,
        roles,
        mut scopes,
    } = acted;
    scopes.retain(|scope| rest.client_scopes.contains(scope));
    rest.holds.then_some(Standing { scopes, roles })
}

async fn stand_person(
    tx: &mut Tx<Identity>,
    app: &App,
    token: &AccessToken,
    sid: TenantSessionId,
    issued_at: OffsetDateTime,
) -> Result<Option<Standing>, StoreError> {
    let subject = SubjectId::from_uuid(token.claims.sub);
    let asked = store::Asked::of(token, issued_at);
    let Some(found) = store::find_person(tx, &asked, (sid, subject)).await? else {
        return Ok(None);
    };
    let store::Person {
        rest,
        session,
        member,
    } = found.of(subject, platform_limits(app));
    if !rest.holds || !member.is_active {
        return Ok(None);
    }
    let now = app.env.now();
    let live = session.stands();
    let live = live.filter(|standing| standing.clocks().is_live(now));
    let mut scopes = member.scopes;
    scopes.retain(|scope| rest.client_scopes.contains(scope));
    Ok(live.map(|_| Standing {
        scopes,
        roles: member.roles,
    }))
}

async fn stand_service(
    tx: &mut Tx<Identity>,
    token: &AccessToken,
    issued_at: OffsetDateTime,
) -> Result<Option<Standing>, StoreError> {
    let asked = store::Asked::of(token, issued_at);
    let found = store::find_service(tx, &asked).await?;
    let holds = found.filter(|rest| rest.holds);
    Ok(holds.map(|rest| Standing {
        scopes: rest.client_scopes,
        roles: Vec::new(),
    }))
}
