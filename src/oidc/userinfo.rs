//! `GET` and `POST /userinfo` (OIDC Core §5.3): what the scopes let a client know of the person.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use time::OffsetDateTime;

use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::http::bearer::{BearerError, bearer};
use crate::http::form::RequestParameters;
use crate::identity::membership::{Member, store as membership};
use crate::ids::{ClientId, ImpersonationId, SubjectId, TenantSessionId};
use crate::impersonation::answers;
use crate::impersonation::model::{Acted, Recorded};
use crate::oidc::token::access_token::{self, Claims};
use crate::sessions::service as sessions;

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
) -> Result<serde_json::Value, BearerError> {
    let token = match (bearer(headers)?, in_form) {
        (Some(_), Some(_)) => return Err(BearerError::Malformed),
        (Some(token), None) | (None, Some(token)) => token,
        (None, None) => return Err(BearerError::Absent),
    };
    let token = access_token::read(app, token).ok_or(BearerError::Invalid)?;
    let claims = token.claims;
    let has = |scope: &str| claims.scope.split(' ').any(|s| s == scope);
    if !has("openid") {
        return Err(BearerError::Insufficient("openid"));
    }
    let Some(sid) = claims.sid else {
        return Err(BearerError::Invalid);
    };
    let found = match claims.act {
        Some(_) => find_acted(app, &claims, sid).await?,
        None => find(app, &claims, sid).await?.map(|member| (member, None)),
    };
    let (member, actor_name) = found.ok_or(BearerError::Invalid)?;
    let mut known = json!({ "sub": claims.sub, "tid": claims.tid });
    if has("profile") {
        known["name"] = member.display_name.into();
    }
    // Under `act` no token has that scope: her address is not lent.
    if has("email") && claims.act.is_none() {
        known["email"] = member.login.into();
    }
    if let Some(act) = claims.act {
        known["actor_name"] = actor_name.into();
        // The last: nothing written after it could say otherwise.
        known["act"] = act;
    }
    Ok(known)
}

/// As which API it is recorded what was asked under `act`.
const OWN_NAME: &str = "lanyard-userinfo";

/// The member under a grant that stands, and what who acts is called; the request is on the record,
/// as at any API.
async fn find_acted(
    app: &App,
    claims: &Claims,
    sid: TenantSessionId,
) -> Result<Option<(Member, Option<String>)>, StoreError> {
    let subject = SubjectId::from_uuid(claims.sub);
    let grant = (claims.tid, ImpersonationId::from_uuid(sid.as_uuid()));
    let now = app.env.now();
    let acted = Acted {
        audience: app.issuer().to_owned(),
        method: "GET".to_owned(),
        route: "/userinfo".to_owned(),
        status: Acted::NOT_YET_ANSWERED,
        at: now,
        issued_at: OffsetDateTime::from_unix_timestamp(claims.iat)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH),
    };
    let api = ClientId::parse(OWN_NAME).expect("a client's name");
    let authority = Authority::<Identity>::presented_in(claims.tid);
    app.db
        .run(authority, async |tx| {
            let recorded = answers::record_acted(tx, app, grant, (&api, &acted)).await?;
            if recorded != Recorded::Yes {
                return Ok(None);
            }
            let member = membership::find(tx, claims.tid, subject).await?;
            let name = answers::actor_name(tx, grant).await?;
            let active = member.filter(|member| member.is_active);
            Ok::<_, StoreError>(active.map(|member| (member, name)))
        })
        .await
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
