//! `POST /activity/acted`: an API says what it answered under `act` (design §7).
//!
//! Only a registered resource server may, and only of tokens that we minted for its audience, as
//! with [`super::activity`]. All of a report is on the record when it is answered, or nothing of
//! it: an API that can't record does not answer its caller.

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
use crate::delegation::service as proxies;
use crate::http::oauth_error::OAuthError;
use crate::ids::{ClientId, DelegationId, ImpersonationId, TenantId, TenantSessionId};
use crate::impersonation::answers;
use crate::impersonation::model::{Acted, Recorded};

/// One request; instants are unix seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
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

impl Reported for Event {
    const MOST: usize = 100;
}

/// `POST /activity/acted`. 204 when all is on the record; 400 if something is not the caller's to
/// report, 409 if something may not be answered any more, and then nothing is.
pub(super) async fn acted(
    State(app): State<App>,
    report: Result<Report<Event>, OAuthError>,
) -> Response {
    let Report { by, events } = match report {
        Ok(report) => report,
        Err(error) => return error.into_response(),
    };
    let read: Option<Vec<_>> = events
        .iter()
        .map(|event| Some(((event.tid, event.sid), read(&app, &by, event)?)))
        .collect();
    let Some(read) = read else {
        return OAuthError::field("events", "not the caller's to report").into_response();
    };
    match record_all(&app, &by.id, &read).await {
        Ok(Recorded::Yes) => StatusCode::NO_CONTENT.into_response(),
        Ok(Recorded::Over) => StatusCode::CONFLICT.into_response(),
        Ok(Recorded::Unknown) => OAuthError::field("events", "no such grant").into_response(),
        Err(error) => OAuthError::from(error).into_response(),
    }
}

/// Ours, of one of the caller's audiences, in the token's life and the past. A clock that runs a
/// little ahead is forgiven: what is not recorded is not answered.
fn read(app: &App, by: &Client, event: &Event) -> Option<Acted> {
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
    let token = (event.jti.as_str(), event.tid, event.sid);
    let audience = audience_of(app, by, token, &life)?;
    let acted = Acted {
        audience: audience.clone(),
        method: event.method.clone(),
        route: event.route.clone(),
        status: event.status,
        at: OffsetDateTime::from_unix_timestamp(event.at).ok()?,
        issued_at: OffsetDateTime::from_unix_timestamp(event.iat).ok()?,
    };
    (is_in_time && acted.is_sound()).then_some(acted)
}

/// Records requests that an API answered, or is about to answer, under `act`, in one transaction:
/// all of them, or what the first one that was not recorded is. Each is told by the `sid` of its
/// tokens.
///
/// # Errors
/// [`StoreError`]; nothing is recorded then.
pub(crate) async fn record_all(
    app: &App,
    api: &ClientId,
    requests: &[((TenantId, TenantSessionId), Acted)],
) -> Result<Recorded, StoreError> {
    /// Why the transaction is rolled back.
    enum Undone {
        Not(Recorded),
        Store(StoreError),
    }
    impl From<StoreError> for Undone {
        fn from(error: StoreError) -> Self {
            Self::Store(error)
        }
    }
    let Some(((first, _), _)) = requests.first() else {
        return Ok(Recorded::Yes);
    };
    let authority = Authority::<Identity>::presented_in(*first);
    let done = app.db.run(authority, async |tx| {
        for ((tenant, sid), acted) in requests {
            let (of, what) = (*tenant, (api, acted));
            let grant = ImpersonationId::from_uuid(sid.as_uuid());
            let delegation = DelegationId::from_uuid(sid.as_uuid());
            tx.proceed(Authority::presented_in(of)).await?;
            let mut recorded = answers::record_acted(tx, app, (of, grant), what).await?;
            if recorded == Recorded::Unknown {
                recorded = proxies::record_acted(tx, app, (of, delegation), what).await?;
            }
            if recorded != Recorded::Yes {
                return Err(Undone::Not(recorded));
            }
        }
        Ok(())
    });
    match done.await {
        Ok(()) => Ok(Recorded::Yes),
        Err(Undone::Not(recorded)) => Ok(recorded),
        Err(Undone::Store(error)) => Err(error),
    }
}
