//! Changing the password.

use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use secrecy::SecretString;
use serde::Deserialize;

use super::{frame, overview, signed_in, signed_out};
use crate::account::password::{self, Change, Refusal};
use crate::account::service;
use crate::http::browser::SetCookies;
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page};
use crate::http::visit::Visit;
use crate::identity::password_rules::Weakness;
use crate::pages::{ChangePasswordPage, ChangePasswordProblem, EndReason, Hidden, paths};
use crate::sessions::present::Present;

/// `GET /account/password`.
pub(super) async fn show(visit: Visit) -> Response {
    let result = async {
        match signed_in(&visit).await? {
            Ok(present) => say(&visit, &present, None).await,
            Err(elsewhere) => Ok(elsewhere),
        }
    };
    visit.answer(result.await)
}

/// The form.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    current_password: SecretString,
    #[serde(default)]
    new_password: SecretString,
}

/// `POST /account/password`.
pub(super) async fn take(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = change(&visit, &fields);
    visit.answer(result.await)
}

async fn change(visit: &Visit, fields: &Fields) -> Result<Response, PageError> {
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let presented = visit.browser.session.as_ref().ok_or(PageError::NotFound)?;
    let (current, new) = (&fields.current_password, &fields.new_password);
    match password::change(&visit.app, &present, presented, current, new).await? {
        Change::Done(secret) => {
            let cookies = SetCookies::default().session(&secret.cookie_value(presented.id));
            let to = format!("{}?done={}", paths::ACCOUNT, overview::PASSWORD_CHANGED);
            Ok((cookies, Redirect::to(&to)).into_response())
        }
        Change::Refused(refusal) => say(visit, &present, Some(refusal)).await,
        Change::SignedOut => Ok(signed_out(EndReason::Elsewhere)),
    }
}

async fn say(
    visit: &Visit,
    present: &Present,
    refusal: Option<Refusal>,
) -> Result<Response, PageError> {
    let seen = service::look(&visit.app, present).await?;
    let problem = refusal.map(in_words);
    let (status, wait) = match problem {
        None => (StatusCode::OK, None),
        Some(ChangePasswordProblem::CurrentMismatch) => (StatusCode::FORBIDDEN, None),
        Some(
            ChangePasswordProblem::TooShort
            | ChangePasswordProblem::TooLong
            | ChangePasswordProblem::TooCommon
            | ChangePasswordProblem::Unchanged,
        ) => (StatusCode::BAD_REQUEST, None),
        Some(ChangePasswordProblem::Throttled {
            retry_after_seconds,
        }) => (StatusCode::TOO_MANY_REQUESTS, Some(retry_after_seconds)),
        Some(ChangePasswordProblem::Busy) => (StatusCode::SERVICE_UNAVAILABLE, Some(1)),
    };
    let shown = ChangePasswordPage {
        frame: frame(visit, present, seen.clocks),
        csrf: Hidden::from(visit.browser.csrf()),
        login: seen.login,
        problem,
    };
    let mut response = page(status, &shown);
    if let Some(seconds) = wait {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

fn in_words(refusal: Refusal) -> ChangePasswordProblem {
    match refusal {
        Refusal::CurrentMismatch => ChangePasswordProblem::CurrentMismatch,
        Refusal::Weak(Weakness::TooShort) => ChangePasswordProblem::TooShort,
        Refusal::Weak(Weakness::TooLong) => ChangePasswordProblem::TooLong,
        Refusal::Weak(Weakness::TooCommon) => ChangePasswordProblem::TooCommon,
        Refusal::Unchanged => ChangePasswordProblem::Unchanged,
        Refusal::Throttled(wait) => ChangePasswordProblem::Throttled {
            retry_after_seconds: crate::http::page::whole_seconds(wait),
        },
        Refusal::Busy => ChangePasswordProblem::Busy,
    }
}
