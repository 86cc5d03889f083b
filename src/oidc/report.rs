//! What a resource server reports of tokens that we minted for it: `{"events": […]}`, by HTTP Basic
//! or the like.

use axum::Json;
use axum::extract::{FromRequest, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::client::Client;
use super::client::authentication::authenticate_resource;
use super::token::minting::{Life, jti_is_ours};
use crate::app::App;
use crate::http::oauth_error::OAuthError;
use crate::ids::{TenantId, TenantSessionId};

/// One of the things that a report can tell of.
pub(super) trait Reported: DeserializeOwned {
    /// At most so many in one report; the sender tells the rest in another.
    const MOST: usize;
}

/// A report, and the registered resource server that sends it.
pub(super) struct Report<E> {
    pub(super) by: Client,
    pub(super) events: Vec<E>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<E> {
    events: Vec<E>,
}

impl<E: Reported> FromRequest<App> for Report<E> {
    type Rejection = OAuthError;

    /// Who sends it first: nobody else's body is read.
    async fn from_request(request: Request, app: &App) -> Result<Self, OAuthError> {
        let by = authenticate_resource(app, request.headers()).await?;
        let refuse = |why: &str| OAuthError::field("events", why);
        let body = Json::<Body<E>>::from_request(request, app).await;
        let Json(Body { events }) = body.map_err(|_| refuse("a report that can't be read"))?;
        if events.len() > E::MOST {
            return Err(refuse("too many events"));
        }
        Ok(Self { by, events })
    }
}

/// For which of the sender's audiences we minted that token; `None`: for none, or it is not ours.
/// Each `jti` carries a MAC over what a report repeats, so no table of tokens is needed.
pub(super) fn audience_of<'a>(
    app: &App,
    by: &'a Client,
    (jti, tid, sid): (&str, TenantId, TenantSessionId),
    life: &Life,
) -> Option<&'a String> {
    let mut audiences = by.audiences.iter();
    audiences.find(|audience| jti_is_ours(app, jti, tid, sid, audience, life))
}
