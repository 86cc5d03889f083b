//! `GET` and `POST /userinfo` (OIDC Core §5.3): what the scopes let a client know of the person.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::http::form::RequestParameters;
use crate::http::problem::Problem;
use crate::identity::membership::{Member, store as membership};
use crate::ids::{SubjectId, TenantSessionId};
use crate::oidc::token::access_token::{self, Claims};
use crate::sessions::service as sessions;

/// Why not (RFC 6750 §3.1).
enum Refusal {
    /// No token at all: no error word.
    Absent,
    /// Not ours, over, or its session is.
    Invalid,
    /// Without `openid`.
    Insufficient,
    /// A form that can't be read, or two tokens.
    Malformed,
    /// Ours.
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, challenge) = match self {
            Self::Absent => (StatusCode::UNAUTHORIZED, r#"Bearer realm="lanyard""#),
            Self::Invalid => (StatusCode::UNAUTHORIZED, r#"Bearer error="invalid_token""#),
            Self::Insufficient => (
                StatusCode::FORBIDDEN,
                r#"Bearer error="insufficient_scope", scope="openid""#,
            ),
            Self::Malformed => (StatusCode::BAD_REQUEST, r#"Bearer error="invalid_request""#),
            Self::Store(error) => return Problem::Store(error).into_response(),
        };
        (status, [(WWW_AUTHENTICATE, challenge)]).into_response()
    }
}

/// `GET /userinfo`, and `POST` with the token in the header or the form.
pub async fn userinfo(
    State(app): State<App>,
    method: http::Method,
    headers: HeaderMap,
    RequestParameters(form): RequestParameters,
) -> Response {
    let in_form = match form {
        Ok(form) if method == http::Method::POST => {
            form.one("access_token").ok().flatten().map(str::to_owned)
        }
        _ => None,
    };
    match answer(&app, &headers, in_form.as_deref()).await {
        Ok(claims) => {
            let mut response = Json(claims).into_response();
            response
                .headers_mut()
                .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(
    app: &App,
    headers: &HeaderMap,
    in_form: Option<&str>,
) -> Result<serde_json::Value, Refusal> {
    let token = match (bearer(headers)?, in_form) {
        (Some(_), Some(_)) => return Err(Refusal::Malformed),
        (Some(token), None) | (None, Some(token)) => token,
        (None, None) => return Err(Refusal::Absent),
    };
    let token = access_token::read(app, token).ok_or(Refusal::Invalid)?;
    let claims = token.claims;
    let has = |scope: &str| claims.scope.split(' ').any(|s| s == scope);
    if !has("openid") {
        return Err(Refusal::Insufficient);
    }
    let Some(sid) = claims.sid else {
        return Err(Refusal::Invalid);
    };
    let member = find(app, &claims, sid).await?.ok_or(Refusal::Invalid)?;
    let mut known = json!({ "sub": claims.sub, "tid": claims.tid });
    if has("profile") {
        known["name"] = member.display_name.into();
    }
    if has("email") {
        known["email"] = member.login.into();
    }
    Ok(known)
}

/// The member, if her session and membership still stand: a token in hand outlives them.
async fn find(
    app: &App,
    claims: &Claims,
    sid: TenantSessionId,
) -> Result<Option<Member>, StoreError> {
    let subject = SubjectId::from_uuid(claims.sub);
    let authority = Authority::<Identity>::presented_in(claims.tid).read_only();
    app.db
        .run(authority, async |tx| {
            let Some(standing) = sessions::find_by_sid(tx, app, sid, "").await? else {
                return Ok(None);
            };
            let is_live = standing.clocks().is_live(app.env.now());
            if standing.in_tenant.subject != subject || !is_live {
                return Ok(None);
            }
            let member = membership::find(tx, claims.tid, subject).await?;
            Ok::<_, StoreError>(member.filter(|member| member.is_active))
        })
        .await
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let (scheme, token) = header
        .to_str()
        .ok()
        .and_then(|h| h.split_once(' '))
        .ok_or(Refusal::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token))
    } else {
        Err(Refusal::Absent)
    }
}
