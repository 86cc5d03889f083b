//! `POST /activity`: a verifier says that a person did something (design §4).
//!
//! Only a registered resource server may, and only of tokens that we minted for its audience: each
//! `jti` carries a MAC over what the report repeats, so no table of tokens is needed.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use time::OffsetDateTime;

use super::client::Client;
use super::report::{Report, Reported, audience_of};
use super::token::minting::Life;
use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::http::oauth_error::OAuthError;
use crate::ids::{ImpersonationId, TenantId, TenantSessionId};
use crate::impersonation::answers;
use crate::sessions::service as sessions;

/// What a person did it with, and when; unix seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    jti: String,
    tid: TenantId,
    sid: TenantSessionId,
    iat: i64,
    exp: i64,
    at: i64,
}

impl Reported for Event {
    const MOST: usize = 1000;
}

/// `POST /activity`. 204 whatever the events were worth: one that is not the caller's to report is
/// dropped.
pub(super) async fn activity(
    State(app): State<App>,
    report: Result<Report<Event>, OAuthError>,
) -> Response {
    let Report { by, events } = match report {
        Ok(report) => report,
        Err(error) => return error.into_response(),
    };
    for event in events
        .iter()
        .filter(|event| is_reportable(&app, &by, event))
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
fn is_reportable(app: &App, by: &Client, event: &Event) -> bool {
    let life = Life {
        iat: event.iat,
        exp: event.exp,
    };
    let is_in_time =
        event.iat <= event.at && event.at < event.exp && event.at <= app.env.now().unix_timestamp();
    let token = (event.jti.as_str(), event.tid, event.sid);
    is_in_time && audience_of(app, by, token, &life).is_some()
}

/// Notes one instant of a person's activity in the session that a tenant's `sid` names. Under a
/// grant to act as somebody it is the actor's, in his own session: hers stands still.
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
                return Ok(());
            }
            let grant = (tenant, ImpersonationId::from_uuid(sid.as_uuid()));
            let found = answers::find_actor_session(tx, grant, app.env.now()).await?;
            let Some(session) = found else { return Ok(()) };
            tx.proceed(Authority::presented_in(TenantId::PLATFORM))
                .await?;
            if let Some(standing) = sessions::find_in_tenant(tx, app, session, "").await? {
                sessions::note_activity(tx, app, &standing, at).await?;
            }
            Ok(())
        })
        .await
}
