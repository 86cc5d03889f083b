//! Step one: who.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::{NO_FLOW, find, flow, frame, leads_to, named, to, way_back};
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page_leading_to};
use crate::http::visit::Visit;
use crate::identity::Login;
use crate::oidc::interaction::{Interaction, Purpose, service as interaction};
use crate::pages::{Hidden, IdentifierPage, IdentifierProblem, paths};
use crate::sign_in::waiting;

/// `GET /sign-in?flow=`.
pub(super) async fn show(visit: Visit) -> Response {
    let result = async {
        let interaction = find(&visit, visit.parameter("flow").as_deref()).await?;
        let hint = match &interaction.pending.purpose {
            Purpose::Authorize(request) => request.login_hint.as_deref(),
            Purpose::Account | Purpose::Factors => None,
        };
        let login = interaction
            .pending
            .login
            .as_deref()
            .or(hint)
            .unwrap_or_default();
        Ok(say(&visit, &interaction, login, None))
    };
    visit.answer(result.await)
}

/// The form.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    flow: String,
    #[serde(default)]
    login: String,
}

/// `POST /sign-in`.
pub(super) async fn take(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = take_login(&visit, &fields);
    visit.answer(result.await)
}

async fn take_login(visit: &Visit, fields: &Fields) -> Result<Response, PageError> {
    let login = Login::parse(&fields.login);
    let (app, browser, id) = (
        &visit.app,
        visit.browser.digest(),
        named(Some(&fields.flow))?,
    );
    let finding = app.db.run(interaction::authority(id), async |tx| {
        waiting::name(tx, app, id, browser, login.as_ref()).await
    });
    let interaction = finding.await?.ok_or(NO_FLOW)?;
    if login.is_none() {
        let problem = if fields.login.trim().is_empty() {
            IdentifierProblem::Missing
        } else {
            IdentifierProblem::Malformed
        };
        return Ok(say(visit, &interaction, &fields.login, Some(problem)));
    }
    Ok(to(paths::SIGN_IN_PASSWORD, &interaction))
}

fn say(
    visit: &Visit,
    interaction: &Interaction,
    login: &str,
    problem: Option<IdentifierProblem>,
) -> Response {
    let status = if problem.is_some() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let shown = IdentifierPage {
        frame: frame(visit, interaction),
        csrf: Hidden::from(visit.browser.csrf()),
        flow: flow(interaction),
        login: login.chars().take(254).collect(),
        client_name: interaction.pending.client_name.clone(),
        way_back: way_back(interaction),
        problem,
    };
    page_leading_to(status, &shown, leads_to(interaction).as_deref())
}
