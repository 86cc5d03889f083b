//! The pages of signing in, one a file.

mod clinic;
mod factor;
mod identifier;
mod password;

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use crate::account::routes::factors::CONFIRMED;
use crate::app::App;
use crate::http::page::PageError;
use crate::http::visit::Visit;
use crate::ids::InteractionId;
use crate::oidc::interaction::{Interaction, Purpose, service as interaction};
use crate::pages::{Clinic, Frame, Hidden, WayBack, paths};
use crate::sign_in::waiting;

/// Where an interaction for an app goes on.
const RESUME: &str = "/authorize/resume";

/// The pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route(paths::SIGN_IN, get(identifier::show).post(identifier::take))
        .route(
            paths::SIGN_IN_PASSWORD,
            get(password::show).post(password::take),
        )
        .route(
            paths::SIGN_IN_CODE,
            get(factor::show_code).post(factor::take_code),
        )
        .route(
            paths::SIGN_IN_RECOVERY_CODE,
            get(factor::show_recovery).post(factor::take_recovery),
        )
        .route(
            paths::SIGN_IN_ENROLL,
            get(factor::show_enroll).post(factor::take_enroll),
        )
        .route(paths::SIGN_IN_ENROLL_LATER, post(factor::later))
        .route(paths::SIGN_IN_CLINIC, get(clinic::show).post(clinic::take))
}

/// The waiting request that `flow` names, if it is this browser's and live.
async fn find(visit: &Visit, flow: Option<&str>) -> Result<Interaction, PageError> {
    let (app, browser, id) = (&visit.app, visit.browser.digest(), named(flow)?);
    let finding = app.db.run(interaction::authority(id), async |tx| {
        waiting::find(tx, app, id, browser).await
    });
    finding.await?.ok_or(NO_FLOW)
}

/// The id in a `flow`.
fn named(flow: Option<&str>) -> Result<InteractionId, PageError> {
    let id = flow.and_then(|flow| flow.parse().ok());
    id.ok_or(PageError::BadRequest {
        detail: "no flow named",
        field: Some("flow"),
    })
}

/// No live one of this browser's.
const NO_FLOW: PageError = PageError::BadRequest {
    detail: "no such flow in this browser",
    field: Some("flow"),
};

/// The frame of a page of this flow: the clinic's, as soon as it is known.
fn frame(visit: &Visit, interaction: &Interaction) -> Frame {
    let mut frame = visit.frame();
    frame.clinic = interaction
        .pending
        .clinic
        .as_ref()
        .map(|(name, accent)| Clinic {
            name: name.clone(),
            accent: accent.parse().unwrap_or_default(),
        });
    frame
}

/// The value of a form's `flow`.
fn flow(interaction: &Interaction) -> Hidden {
    Hidden::from(interaction.id.to_string())
}

/// To another page of the same flow.
fn to(path: &str, interaction: &Interaction) -> Response {
    Redirect::to(&format!("{path}?flow={}", interaction.id)).into_response()
}

/// Where the flow goes on when she has signed in.
fn onward(interaction: &Interaction) -> Response {
    Redirect::to(&onward_path(interaction)).into_response()
}

/// The same as a link.
fn onward_path(interaction: &Interaction) -> String {
    match interaction.pending.purpose {
        Purpose::Authorize(_) => format!("{RESUME}?flow={}", interaction.id),
        Purpose::Account => paths::ACCOUNT.to_owned(),
        Purpose::Factors => format!("{}?done={CONFIRMED}", paths::ACCOUNT_FACTORS),
    }
}

/// Where she goes who does not go on. An account page that wants a sign-in is shown to nobody
/// without it, so there is nothing to go back to.
fn way_back(interaction: &Interaction) -> Option<WayBack> {
    match interaction.pending.purpose {
        Purpose::Authorize(_) => interaction.pending.client_name.clone().map(WayBack::App),
        Purpose::Account => None,
        Purpose::Factors => Some(WayBack::Factors),
    }
}

/// What a page's form may be redirected to in the end, for its policy: the app that asked.
fn leads_to(interaction: &Interaction) -> Option<String> {
    match &interaction.pending.purpose {
        Purpose::Authorize(request) => request.leads_to(),
        Purpose::Account | Purpose::Factors => None,
    }
}
