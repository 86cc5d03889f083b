//! `POST /activity/acted`: an API says what it answered under `act` (design §7).
//!
//! Only a registered resource server may, and only of tokens that we minted for its audience, as
//! with [`super::activity`]. All of a report is on the record when it is answered, or nothing of
//! it: an API that can't record does not answer its caller.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;

use super::client::authentication::authenticate_resource;
use super::token::minting::{Life, jti_is_ours};
use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::delegation::service as proxies;
use crate::http::oauth_error::OAuthError;
use crate::ids::{ClientId, DelegationId, ImpersonationId, TenantId, TenantSessionId};
use crate::impersonation::answers;
use crate::impersonation::model::{Acted, Under};
use crate::oidc::client::Client;

/// At most so many requests in one report; an API sends the rest in another.
const MOST_REQUESTS: usize = 100;

/// One report.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    events: Vec<Event>,
}

/// One request; instants are unix seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    jti: String,
    tid: TenantId,
    sid: TenantSessionId,
    iat: i64,
    exp: i64,
    at: i64,
    method: String,
    route: String,
    status: u16,
}

/// `POST /activity/acted`, by HTTP Basic or the like of a resource server. 204 when all is on the
/// record; 400 if something is not the caller's to report, and then nothing is.
pub async fn acted(
    State(app): State<App>,
    headers: HeaderMap,
    report: Result<Json<Report>, JsonRejection>,
) -> Response {
    let client = match authenticate_resource(&app, &headers).await {
        Ok(client) => client,
        Err(error) => return error.into_response(),
    };
    let Ok(Json(Report { events })) = report else {
        return OAuthError::field("events", "a report that can't be read").into_response();
    };
    if events.len() > MOST_REQUESTS {
        return OAuthError::field("events", "too many requests").into_response();
    }
    let read: Option<Vec<_>> = events
        .iter()
        .map(|event| Some(((event.tid, event.sid), read(&app, &client, event)?)))
        .collect();
    let Some(read) = read else {
        return OAuthError::field("events", "not the caller's to report").into_response();
    };
    match record_all(&app, &client.id, Under::Any, &read).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => OAuthError::field("events", "no such grant").into_response(),
        Err(error) => OAuthError::from(error).into_response(),
    }
}

/// Ours, of one of the caller's audiences, in the token's life and the past. A clock that runs a
/// little ahead is forgiven: what is not recorded is not answered.
fn read(app: &App, client: &Client, event: &Event) -> Option<Acted> {
    const LEEWAY_SECONDS: i64 = 30;
    let (life, now) = (
        Life {
            iat: event.iat,
            exp: event.exp,
        },
        app.env.now().unix_timestamp(),
    );
    let is_in_time = event.iat - LEEWAY_SECONDS <= event.at
        && event.at < event.exp + LEEWAY_SECONDS
        && event.at <= now + LEEWAY_SECONDS;
    let audience = client
        .audiences
        .iter()
        .find(|audience| jti_is_ours(app, &event.jti, event.tid, event.sid, audience, &life))?;
    let acted = Acted {
        audience: audience.clone(),
        method: event.method.clone(),
        route: event.route.clone(),
        status: event.status,
        at: OffsetDateTime::from_unix_timestamp(event.at).ok()?,
    };
    (is_in_time && acted.is_sound()).then_some(acted)
}

/// Records requests that an API answered under `act`, in one transaction; false, and nothing, if
/// one is under no grant and no delegation. Each is told by the `sid` of its tokens.
///
/// # Errors
/// [`StoreError`]; nothing is recorded then.
pub(crate) async fn record_all(
    app: &App,
    api: &ClientId,
    under: Under,
    requests: &[((TenantId, TenantSessionId), Acted)],
) -> Result<bool, StoreError> {
    /// Why the transaction is rolled back.
    enum Undone {
        Unknown,
        Store(StoreError),
    }
    impl From<StoreError> for Undone {
        fn from(error: StoreError) -> Self {
            Self::Store(error)
        }
    }
    let Some(((first, _), _)) = requests.first() else {
        return Ok(true);
    };
    let authority = Authority::<Identity>::presented_in(*first);
    let done = app.db.run(authority, async |tx| {
        for ((tenant, sid), acted) in requests {
            let (of, what) = (*tenant, (api, acted));
            let grant = ImpersonationId::from_uuid(sid.as_uuid());
            let delegation = DelegationId::from_uuid(sid.as_uuid());
            tx.proceed(Authority::presented_in(of)).await?;
            if !answers::record_acted(tx, app, (of, grant), under, what).await?
                && !proxies::record_acted(tx, app, (of, delegation), under, what).await?
            {
                return Err(Undone::Unknown);
            }
        }
        Ok(())
    });
    match done.await {
        Ok(()) => Ok(true),
        Err(Undone::Unknown) => Ok(false),
        Err(Undone::Store(error)) => Err(error),
    }
}
