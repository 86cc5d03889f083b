//! Taking back what an app of another party may see.

use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::{overview, signed_in};
use crate::account::service;
use crate::http::own_form::OwnForm;
use crate::http::page::PageError;
use crate::http::visit::Visit;
use crate::ids::ClientId;
use crate::pages::paths;

/// The form of one app.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    clinic: String,
    client: String,
}

/// `POST /account/apps/remove`.
pub(super) async fn remove(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = take_back(&visit, &fields);
    visit.answer(result.await)
}

async fn take_back(visit: &Visit, fields: &Fields) -> Result<Response, PageError> {
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let client = ClientId::parse(&fields.client).ok_or(PageError::NotFound)?;
    if !service::remove_app(&visit.app, &present, &fields.clinic, &client).await? {
        return Err(PageError::NotFound);
    }
    let to = format!("{}?done={}", paths::ACCOUNT, overview::APP_REMOVED);
    Ok(Redirect::to(&to).into_response())
}
