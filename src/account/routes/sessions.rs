//! Ending sessions from the account page.

use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::{overview, signed_in, signed_out};
use crate::account::service::{self, Ended};
use crate::http::own_form::OwnForm;
use crate::http::page::PageError;
use crate::http::visit::Visit;
use crate::pages::{EndReason, paths};

/// The form of one session. Without `session`: the one behind this browser.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    session: Option<String>,
}

/// `POST /account/sessions/end`.
pub(super) async fn end_one(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = end(&visit, fields.session.as_deref());
    visit.answer(result.await)
}

async fn end(visit: &Visit, named: Option<&str>) -> Result<Response, PageError> {
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let id = match named {
        Some(named) => named.parse().map_err(|_| PageError::NotFound)?,
        None => present.session.id,
    };
    match service::end_one(&visit.app, &present, id).await? {
        Ended::This => Ok(signed_out(EndReason::SignedOut)),
        Ended::Other => {
            let to = format!("{}?done={}", paths::ACCOUNT, overview::SESSION_ENDED);
            Ok(Redirect::to(&to).into_response())
        }
        Ended::None => Err(PageError::NotFound),
    }
}

/// The form of all sessions: nothing but its token.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// `POST /account/sessions/end-all`.
pub(super) async fn end_all(OwnForm { visit, .. }: OwnForm<Nothing>) -> Response {
    let result = async {
        let present = match signed_in(&visit).await? {
            Ok(present) => present,
            Err(elsewhere) => return Ok(elsewhere),
        };
        service::end_all(&visit.app, &present).await?;
        Ok(signed_out(EndReason::SignedOut))
    };
    visit.answer(result.await)
}
