//! `POST /activity`: a verifier says that a person did something (design §4).
//!
//! Only a registered resource server may, and only of tokens that we minted for its audience: each
//! `jti` carries a MAC over what the report repeats, so no table of tokens is needed.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;

use super::token::minting::{Life, jti_is_ours};
use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::http::oauth_error::OAuthError;
use crate::ids::{TenantId, TenantSessionId};
use crate::oidc::client::Client;
use crate::oidc::client::authentication::authenticate_resource;
use crate::sessions::service as sessions;

/// At most so many events in one report; a verifier sends the rest in another.
const MOST_EVENTS: usize = 1000;

/// One report.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    events: Vec<Event>,
}

/// What a person did it with, and when; unix seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    jti: String,
    tid: TenantId,
    sid: TenantSessionId,
    iat: i64,
    exp: i64,
    at: i64,
}

/// `POST /activity`, by HTTP Basic or the like of a resource server. 204 whatever the events were
/// worth: one that is not the caller's to report is dropped.
pub async fn activity(
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
    if events.len() > MOST_EVENTS {
        return OAuthError::field("events", "too many events").into_response();
    }
    for event in events
        .iter()
        .filter(|event| is_reportable(&app, &client, event))
    {
        let Ok(at) = OffsetDateTime::from_unix_timestamp(event.at) else {
            continue;
        };
        if let Err(error) = note(&app, event.tid, event.sid, at).await {
            return OAuthError::from(error).into_response();
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Ours, of this audience, and within the token's life and the past.
fn is_reportable(app: &App, client: &Client, event: &Event) -> bool {
    let life = Life {
        iat: event.iat,
        exp: event.exp,
    };
    let is_in_time =
        event.iat <= event.at && event.at < event.exp && event.at <= app.env.now().unix_timestamp();
    is_in_time
        && client
            .audiences
            .iter()
            .any(|audience| jti_is_ours(app, &event.jti, event.tid, event.sid, audience, &life))
}

/// Notes one instant of a person's activity in the session that a tenant's `sid` names.
///
/// # Errors
/// [`StoreError`]; an instant that moves nothing is none.
pub async fn note(
    app: &App,
    tenant: TenantId,
    sid: TenantSessionId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let authority = Authority::<Identity>::presented_in(tenant);
    app.db
        .run(authority, async |tx| {
            if let Some(standing) = sessions::find_by_sid(tx, app, sid, "").await? {
                sessions::note_activity(tx, app, &standing, at).await?;
            }
            Ok(())
        })
        .await
}
