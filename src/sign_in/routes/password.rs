//! Step two: the password.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{NO_FLOW, find, flow, frame, leads_to, named, onward, to, way_back};
use crate::config::MailDelivery;
use crate::http::browser::SetCookies;
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page_leading_to, whole_seconds};
use crate::http::visit::Visit;
use crate::identity::Login;
use crate::oidc::interaction::Interaction;
use crate::pages::{Hidden, PasswordPage, PasswordProblem, paths};
use crate::sign_in::service::{self, Attempt, Outcome, Tried};
use crate::sign_in::waiting;

/// `GET /sign-in/password?flow=`.
pub(super) async fn show(visit: Visit) -> Response {
    let flow = visit.parameter("flow");
    let result = show_with(&visit, flow.as_deref(), None);
    visit.answer(result.await)
}

async fn show_with(
    visit: &Visit,
    flow: Option<&str>,
    problem: Option<PasswordProblem>,
) -> Result<Response, PageError> {
    let interaction = find(visit, flow).await?;
    Ok(match waiting::login(&interaction) {
        Some(login) => say(visit, &interaction, &login, problem),
        None => to(paths::SIGN_IN, &interaction),
    })
}

/// The form.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    flow: String,
    #[serde(default)]
    password: SecretString,
}

/// `POST /sign-in/password`.
pub(super) async fn take(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = take_password(&visit, &fields);
    visit.answer(result.await)
}

async fn take_password(visit: &Visit, fields: &Fields) -> Result<Response, PageError> {
    if fields.password.expose_secret().is_empty() {
        return show_with(visit, Some(&fields.flow), Some(PasswordProblem::Missing)).await;
    }
    let attempt = Attempt {
        flow: named(Some(&fields.flow))?,
        presented: visit.browser.session.as_ref(),
        browser: visit.browser.digest(),
        network: &visit.network,
        agent: &visit.agent,
    };
    let tried = service::attempt(&visit.app, &attempt, &fields.password).await?;
    let (interaction, login, outcome) = match tried {
        Tried::NoFlow => return Err(NO_FLOW),
        Tried::NoLogin(interaction) => return Ok(to(paths::SIGN_IN, &interaction)),
        Tried::Made(interaction, login, outcome) => (interaction, login, outcome),
    };
    visit.app.metrics.signed_in(outcome.word());
    let again = |problem| Ok(say(visit, &interaction, &login, Some(problem)));
    match outcome {
        Outcome::Entered(session, secret) => {
            let cookies = SetCookies::default().session(&secret.cookie_value(session));
            Ok((visit.browser.renewal(), cookies, onward(&interaction)).into_response())
        }
        Outcome::Mismatch => again(PasswordProblem::Mismatch),
        Outcome::Throttled(wait) => {
            let retry_after_seconds = whole_seconds(wait);
            again(PasswordProblem::Throttled {
                retry_after_seconds,
            })
        }
        Outcome::Busy => again(PasswordProblem::Busy),
        Outcome::Unanchored => again(PasswordProblem::Unanchored),
    }
}

fn say(
    visit: &Visit,
    interaction: &Interaction,
    login: &Login,
    problem: Option<PasswordProblem>,
) -> Response {
    let (status, wait) = match problem {
        None => (StatusCode::OK, None),
        Some(PasswordProblem::Missing) => (StatusCode::BAD_REQUEST, None),
        // The credentials do not suffice (RFC 9110 §15.5.4); 401 would ask for HTTP's own.
        Some(PasswordProblem::Mismatch) => (StatusCode::FORBIDDEN, None),
        Some(PasswordProblem::Throttled {
            retry_after_seconds,
        }) => (StatusCode::TOO_MANY_REQUESTS, Some(retry_after_seconds)),
        Some(PasswordProblem::Busy) => (StatusCode::SERVICE_UNAVAILABLE, Some(1)),
        Some(PasswordProblem::Unanchored) => (StatusCode::SERVICE_UNAVAILABLE, Some(60)),
    };
    let shown = PasswordPage {
        frame: frame(visit, interaction),
        csrf: Hidden::from(visit.browser.csrf()),
        flow: flow(interaction),
        login: login.as_str().to_owned(),
        can_recover: visit.app.config.mail.delivery != MailDelivery::None,
        way_back: way_back(interaction),
        problem,
    };
    let mut response = page_leading_to(status, &shown, leads_to(interaction).as_deref());
    if let Some(seconds) = wait {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
