//! A person's no to a request that waits in her browser: she goes back to the app that asked, and
//! the app is told (RFC 6749 §4.1.2.1).

use axum::response::Response;
use serde::Deserialize;

use super::service::{Waiting, declined};
use super::{AuthorizeError, refuse};
use crate::app::App;
use crate::http::own_form::OwnForm;
use crate::http::page::PageError;
use crate::http::visit::Visit;

/// The form: on every page of signing in.
#[derive(Debug, Deserialize)]
pub(crate) struct Fields {
    flow: String,
}

/// `POST /sign-in/decline`. Asks for no session: who has not proved anything may go back, too.
pub(crate) async fn take(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = async {
        let waiting = find(&visit, Some(&fields.flow)).await?;
        decline(&visit.app, &waiting).await
    };
    visit.answer(result.await)
}

/// The request that `flow` names, if it waits in this browser.
pub(super) async fn find(visit: &Visit, flow: Option<&str>) -> Result<Waiting, PageError> {
    let flow = flow
        .and_then(|flow| flow.parse().ok())
        .ok_or(bad("no flow named"))?;
    let found = Waiting::find(&visit.app, &visit.browser, flow).await?;
    found.ok_or(bad(GONE))
}

/// Ends the request, and leads back to its client.
pub(super) async fn decline(app: &App, waiting: &Waiting) -> Result<Response, PageError> {
    // Finished meanwhile by another tab: the client has its answer.
    if !declined(app, waiting).await? {
        return Err(bad(GONE));
    }
    let (request, error) = (&waiting.request, AuthorizeError::AccessDenied);
    let state = request.state.as_deref();
    Ok(refuse(app, &request.redirect_uri, state, error))
}

const GONE: &str = "no such flow in this browser";

const fn bad(detail: &'static str) -> PageError {
    PageError::BadRequest {
        detail,
        field: Some("flow"),
    }
}
