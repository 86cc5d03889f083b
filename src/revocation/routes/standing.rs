//! `POST /revocations/standing`: a verifier says how it stands.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::subscriber;
use crate::app::App;
use crate::http::oauth_error::OAuthError;
use crate::revocation::model::Standing;
use crate::revocation::service;

/// What a verifier says of itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    version: String,
    keys_age_seconds: i64,
    position: Option<i64>,
    lag_milliseconds: Option<i64>,
    /// Which of the client's processes it is: random, made at its start.
    #[serde(default)]
    instance: String,
}

impl Report {
    /// Short words of printable ASCII, and numbers that can be true.
    fn read(self) -> Option<Standing> {
        let is_word = |word: &str, most| {
            word.len() <= most && word.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let is_size = |size: Option<i64>| size.is_none_or(|size| size >= 0);
        let may = is_word(&self.version, 40)
            && !self.version.is_empty()
            && is_word(&self.instance, 64)
            && self.keys_age_seconds >= 0
            && is_size(self.position)
            && is_size(self.lag_milliseconds);
        may.then_some(Standing {
            instance: self.instance,
            version: self.version,
            keys_age_seconds: self.keys_age_seconds,
            position: self.position,
            lag_milliseconds: self.lag_milliseconds,
        })
    }
}

/// 204: it is noted.
pub(super) async fn report(
    State(app): State<App>,
    headers: HeaderMap,
    report: Result<Json<Report>, JsonRejection>,
) -> Response {
    let noted = async {
        let subscriber = subscriber(&app, &headers).await?;
        let standing = report.ok().and_then(|Json(report)| report.read());
        let unreadable = || OAuthError::field("standing", "a report that can't be read");
        let standing = standing.ok_or_else(unreadable)?;
        service::report(&app, &subscriber, &standing).await?;
        Ok::<_, OAuthError>(())
    };
    match noted.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => error.into_response(),
    }
}
