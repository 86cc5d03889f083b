//! The pages of a forgotten password.

use axum::Router;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use secrecy::SecretString;
use serde::Deserialize;

use super::model::RecoveryLink;
use super::service::{self, Completed};
use crate::app::App;
use crate::http::browser::SetCookies;
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page};
use crate::http::visit::Visit;
use crate::identity::Login;
use crate::identity::password_rules::Weakness;
use crate::oidc::interaction::{Interaction, service as interaction};
use crate::pages::{
    ChangePasswordProblem, Clinic, DeadLinkPage, Frame, Hidden, IdentifierProblem, NewPasswordPage,
    RecoveryDonePage, RecoveryPage, RecoverySentPage, paths,
};

/// The pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route(paths::RECOVERY, get(show).post(ask))
        .route(paths::RECOVERY_LINK, get(arrive))
        .route(paths::RECOVERY_NEW, get(look).post(set))
        .route(paths::RECOVERY_DONE, get(done))
}

/// `GET /recovery?flow=`: which address?
async fn show(visit: Visit) -> Response {
    let result = async {
        let asked = Asked::find(&visit, visit.parameter("flow").as_deref()).await?;
        let login = asked.login.clone().unwrap_or_default();
        Ok(asked.page(&visit, &login, None))
    };
    visit.answer(result.await)
}

/// The sign-in that somebody comes from, if she does: its page is where "back" leads.
struct Asked {
    frame: Frame,
    flow: Option<String>,
    login: Option<String>,
}

impl Asked {
    async fn find(visit: &Visit, flow: Option<&str>) -> Result<Self, PageError> {
        let mut asked = Self {
            frame: visit.frame(),
            flow: None,
            login: None,
        };
        let Some(id) = flow.and_then(|flow| flow.parse().ok()) else {
            return Ok(asked);
        };
        let (app, browser) = (&visit.app, visit.browser.digest());
        let found = app
            .db
            .run(interaction::authority(id), async |tx| {
                interaction::find(tx, app, id, browser).await
            })
            .await?;
        if let Some(Interaction { id, pending, .. }) = found {
            asked.frame.clinic = pending.clinic.map(|(name, accent)| Clinic {
                name,
                accent: accent.parse().unwrap_or_default(),
            });
            asked.flow = Some(id.to_string());
            asked.login = pending.login;
        }
        Ok(asked)
    }

    fn page(self, visit: &Visit, login: &str, problem: Option<IdentifierProblem>) -> Response {
        let status = if problem.is_some() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        let shown = RecoveryPage {
            frame: self.frame,
            csrf: Hidden::from(visit.browser.csrf()),
            flow: self.flow.map(Hidden::from),
            login: login.chars().take(254).collect(),
            problem,
        };
        page(status, &shown)
    }
}

/// The form of [`show`].
#[derive(Debug, Deserialize)]
struct Request {
    flow: Option<String>,
    #[serde(default)]
    login: String,
}

/// `POST /recovery`: one answer, whatever the address.
async fn ask(OwnForm { visit, fields }: OwnForm<Request>) -> Response {
    let result = async {
        let asked = Asked::find(&visit, fields.flow.as_deref()).await?;
        let Some(login) = Login::parse(&fields.login) else {
            let problem = if fields.login.trim().is_empty() {
                IdentifierProblem::Missing
            } else {
                IdentifierProblem::Malformed
            };
            return Ok(asked.page(&visit, &fields.login, Some(problem)));
        };
        service::request(&visit.app, &login, &visit.network).await?;
        let shown = RecoverySentPage {
            frame: asked.frame,
            login: login.as_str().to_owned(),
            flow: asked.flow.map(Hidden::from),
        };
        Ok(page(StatusCode::OK, &shown))
    };
    visit.answer(result.await)
}

/// `GET /recovery/link?key=`: from the mail. Out of the address at once, into a cookie; nothing is
/// looked up, so a scanner that follows links spends nothing.
async fn arrive(visit: Visit) -> Response {
    let key = visit.parameter("key").unwrap_or_default();
    let cookies = match RecoveryLink::parse(&key) {
        Some(link) => SetCookies::default().recovery(&link.text()),
        None => SetCookies::default().no_recovery(),
    };
    let onward = (cookies, Redirect::to(paths::RECOVERY_NEW)).into_response();
    visit.answer(Ok(onward))
}

/// `GET /recovery/new`: the form, if the link is still good.
async fn look(visit: Visit) -> Response {
    let result = async {
        let Some(link) = &visit.browser.recovery else {
            return Ok(dead(&visit));
        };
        Ok(match service::look(&visit.app, link).await? {
            Some(login) => form(&visit, login, None),
            None => dead(&visit),
        })
    };
    visit.answer(result.await)
}

/// The form of [`look`].
#[derive(Debug, Deserialize)]
struct NewPassword {
    #[serde(default)]
    new_password: SecretString,
}

/// `POST /recovery/new`: spends the link.
async fn set(OwnForm { visit, fields }: OwnForm<NewPassword>) -> Response {
    let result = set_password(&visit, &fields.new_password);
    visit.answer(result.await)
}

async fn set_password(visit: &Visit, new: &SecretString) -> Result<Response, PageError> {
    let Some(link) = &visit.browser.recovery else {
        return Ok(dead(visit));
    };
    let problem = match service::complete(&visit.app, link, new).await? {
        Completed::Done => {
            // The session that this browser had is over like all others.
            let cookies = SetCookies::default().no_recovery().no_session();
            return Ok((cookies, Redirect::to(paths::RECOVERY_DONE)).into_response());
        }
        Completed::Dead => return Ok(dead(visit)),
        Completed::Weak(Weakness::TooShort) => ChangePasswordProblem::TooShort,
        Completed::Weak(Weakness::TooLong) => ChangePasswordProblem::TooLong,
        Completed::Weak(Weakness::TooCommon) => ChangePasswordProblem::TooCommon,
        Completed::Busy => ChangePasswordProblem::Busy,
    };
    Ok(match service::look(&visit.app, link).await? {
        Some(login) => form(visit, login, Some(problem)),
        None => dead(visit),
    })
}

fn form(visit: &Visit, login: String, problem: Option<ChangePasswordProblem>) -> Response {
    let (status, wait) = match problem {
        None => (StatusCode::OK, None),
        Some(ChangePasswordProblem::Busy) => (StatusCode::SERVICE_UNAVAILABLE, Some(1)),
        Some(_) => (StatusCode::BAD_REQUEST, None),
    };
    let shown = NewPasswordPage {
        frame: visit.frame(),
        csrf: Hidden::from(visit.browser.csrf()),
        login,
        problem,
    };
    let mut response = page(status, &shown);
    if let Some(seconds) = wait {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

fn dead(visit: &Visit) -> Response {
    let shown = DeadLinkPage {
        frame: visit.frame(),
    };
    let cookies = SetCookies::default().no_recovery();
    (cookies, page(StatusCode::GONE, &shown)).into_response()
}

/// `GET /recovery/done`.
async fn done(visit: Visit) -> Response {
    let shown = RecoveryDonePage {
        frame: visit.frame(),
    };
    visit.answer(Ok(page(StatusCode::OK, &shown)))
}
