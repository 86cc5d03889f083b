//! After the password: the code of a device, a recovery code, or setting a device up.

use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{find, flow, frame, leads_to, onward, onward_path, to, way_back};
use crate::account::routes::factors::codes_page;
use crate::http::browser::SetCookies;
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page_leading_to, whole_seconds};
use crate::http::visit::Visit;
use crate::identity::recovery_code::RecoveryCode;
use crate::identity::totp::model::TypedCode;
use crate::oidc::interaction::{Interaction, service as interaction};
use crate::pages::{
    CodePage, CodeProblem, EnrollPage, EnrollProblem, Hidden, Qr, RecoveryCodePage, paths,
};
use crate::sessions::PresentedSession;
use crate::sessions::present::{self, Presence, Present};
use crate::sign_in::factor::{self, Attempt, Enrolled, Offer, Outcome, Typed};

/// The waiting request and who proved her password in this browser, or where to go instead.
async fn halfway(
    visit: &Visit,
    flow: Option<&str>,
) -> Result<Result<(Interaction, Box<Present>), Response>, PageError> {
    let interaction = find(visit, flow).await?;
    let presence = present::find(&visit.app, visit.browser.session.as_ref()).await?;
    Ok(match presence {
        Presence::Here(present) => Ok((interaction, present)),
        Presence::Lapsed(_) | Presence::Over(_) | Presence::Nobody => {
            Err(to(paths::SIGN_IN, &interaction))
        }
    })
}

/// Which page asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    Code,
    Recovery,
}

/// `GET /sign-in/code?flow=`.
pub(super) async fn show_code(visit: Visit) -> Response {
    let result = show(&visit, Asking::Code);
    visit.answer(result.await)
}

/// `GET /sign-in/recovery-code?flow=`.
pub(super) async fn show_recovery(visit: Visit) -> Response {
    let result = show(&visit, Asking::Recovery);
    visit.answer(result.await)
}

async fn show(visit: &Visit, asking: Asking) -> Result<Response, PageError> {
    let (interaction, present) = match halfway(visit, visit.parameter("flow").as_deref()).await? {
        Ok(halfway) => halfway,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let asked = factor::ask(&visit.app, &present).await?;
    if !asked.has_device {
        return Ok(onward(&interaction));
    }
    Ok(say(visit, &interaction, asking, asked.login, None))
}

/// The form of both pages.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    flow: String,
    #[serde(default)]
    code: SecretString,
}

/// `POST /sign-in/code`.
pub(super) async fn take_code(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = take(&visit, &fields, Asking::Code);
    visit.answer(result.await)
}

/// `POST /sign-in/recovery-code`.
pub(super) async fn take_recovery(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = take(&visit, &fields, Asking::Recovery);
    visit.answer(result.await)
}

async fn take(visit: &Visit, fields: &Fields, asking: Asking) -> Result<Response, PageError> {
    let (interaction, present) = match halfway(visit, Some(&fields.flow)).await? {
        Ok(halfway) => halfway,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let presented = visit.browser.session.as_ref().ok_or(PageError::NotFound)?;
    let login = factor::ask(&visit.app, &present).await?.login;
    let again = |problem| Ok(say(visit, &interaction, asking, login, Some(problem)));
    if fields.code.expose_secret().trim().is_empty() {
        return again(CodeProblem::Missing);
    }
    let attempt = Attempt {
        interaction: &interaction,
        presented,
        browser: visit.browser.digest(),
        network: &visit.network,
    };
    let typed = match asking {
        Asking::Code => Typed::Code(TypedCode::parse(fields.code.expose_secret())),
        Asking::Recovery => Typed::Recovery(RecoveryCode::parse(fields.code.expose_secret())),
    };
    let outcome = factor::attempt(&visit.app, &attempt, &typed).await?;
    visit
        .app
        .metrics
        .factor_typed(typed.method(), outcome.word());
    match outcome {
        Outcome::Proved(secret) => {
            let cookies = SetCookies::default().session(&secret.cookie_value(presented.id));
            Ok((cookies, onward(&interaction)).into_response())
        }
        Outcome::Mismatch { .. } => again(CodeProblem::Mismatch),
        Outcome::Throttled(wait) => again(CodeProblem::Throttled {
            retry_after_seconds: whole_seconds(wait),
        }),
        Outcome::SignedOut => Ok(to(paths::SIGN_IN, &interaction)),
    }
}

fn say(
    visit: &Visit,
    interaction: &Interaction,
    asking: Asking,
    login: String,
    problem: Option<CodeProblem>,
) -> Response {
    let (status, wait) = match problem {
        None => (StatusCode::OK, None),
        Some(CodeProblem::Missing) => (StatusCode::BAD_REQUEST, None),
        Some(CodeProblem::Mismatch) => (StatusCode::FORBIDDEN, None),
        Some(CodeProblem::Throttled {
            retry_after_seconds,
        }) => (StatusCode::TOO_MANY_REQUESTS, Some(retry_after_seconds)),
    };
    let (frame, csrf) = (
        frame(visit, interaction),
        Hidden::from(visit.browser.csrf()),
    );
    let (flow, leads_to) = (flow(interaction), leads_to(interaction));
    let way_back = way_back(interaction);
    let mut response = match asking {
        Asking::Code => {
            let client_name = interaction.pending.client_name.clone();
            let shown = CodePage {
                frame,
                csrf,
                flow,
                login,
                client_name,
                way_back,
                problem,
            };
            page_leading_to(status, &shown, leads_to.as_deref())
        }
        Asking::Recovery => {
            let shown = RecoveryCodePage {
                frame,
                csrf,
                flow,
                login,
                way_back,
                problem,
            };
            page_leading_to(status, &shown, leads_to.as_deref())
        }
    };
    if let Some(seconds) = wait {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// `GET /sign-in/enroll?flow=`.
pub(super) async fn show_enroll(visit: Visit) -> Response {
    let result = async {
        let flow = visit.parameter("flow");
        match halfway(&visit, flow.as_deref()).await? {
            Ok((interaction, present)) => offer(&visit, interaction, &present, None).await,
            Err(elsewhere) => Ok(elsewhere),
        }
    };
    visit.answer(result.await)
}

async fn offer(
    visit: &Visit,
    mut waiting: Interaction,
    present: &Present,
    problem: Option<EnrollProblem>,
) -> Result<Response, PageError> {
    let (begun, login, may_postpone) = match factor::offer(&visit.app, present, &waiting).await? {
        Offer::Nothing => return Ok(onward(&waiting)),
        Offer::Prove => return Ok(to(paths::SIGN_IN_CODE, &waiting)),
        Offer::ProvePassword(login) => {
            waiting.pending.login = Some(login);
            let authority = interaction::authority(waiting.id);
            let keeping = visit
                .app
                .db
                .run(authority, async |tx| interaction::keep(tx, &waiting).await);
            keeping.await?;
            return Ok(to(paths::SIGN_IN_PASSWORD, &waiting));
        }
        Offer::Enroll {
            begun,
            login,
            may_postpone,
        } => (begun, login, may_postpone),
    };
    let address = begun.secret.address(&login);
    let shown = EnrollPage {
        frame: frame(visit, &waiting),
        csrf: Hidden::from(visit.browser.csrf()),
        flow: Some(flow(&waiting)),
        login,
        action: paths::SIGN_IN_ENROLL,
        qr: Qr::of(&address).ok_or(PageError::NotFound)?,
        address: Hidden::from(address),
        secret: Hidden::from(begun.secret.text()),
        may_postpone,
        way_back: way_back(&waiting),
        problem,
    };
    let status = if problem.is_some() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let leads_to = leads_to(&waiting);
    Ok(page_leading_to(status, &shown, leads_to.as_deref()))
}

/// `POST /sign-in/enroll`.
pub(super) async fn take_enroll(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = enroll(&visit, &fields);
    visit.answer(result.await)
}

async fn enroll(visit: &Visit, fields: &Fields) -> Result<Response, PageError> {
    let (interaction, present) = match halfway(visit, Some(&fields.flow)).await? {
        Ok(halfway) => halfway,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let presented = visit.browser.session.as_ref().ok_or(PageError::NotFound)?;
    let code = TypedCode::parse(fields.code.expose_secret());
    let enrolled = factor::enroll(&visit.app, presented, &interaction, code.as_ref()).await?;
    visit.app.metrics.factor_enrolled(enrolled.word());
    Ok(match enrolled {
        Enrolled::Done(secret, codes) => {
            let cookies = SetCookies::default().session(&secret.cookie_value(presented.id));
            let onward = onward_path(&interaction);
            (cookies, codes_page(visit, &codes, onward)).into_response()
        }
        Enrolled::Mismatch => {
            let problem = Some(EnrollProblem::Mismatch);
            return offer(visit, interaction, &present, problem).await;
        }
        Enrolled::Nothing | Enrolled::TooMany => to(paths::SIGN_IN_ENROLL, &interaction),
        Enrolled::SignedOut => to(paths::SIGN_IN, &interaction),
    })
}

/// The form of who puts it off.
#[derive(Debug, Deserialize)]
pub(super) struct Later {
    flow: String,
}

/// `POST /sign-in/enroll/later`.
pub(super) async fn later(OwnForm { visit, fields }: OwnForm<Later>) -> Response {
    let result = async {
        let interaction = find(&visit, Some(&fields.flow)).await?;
        let Some(presented) = visit.browser.session.as_ref() else {
            return Ok(to(paths::SIGN_IN, &interaction));
        };
        postpone(&visit, presented, &interaction).await
    };
    visit.answer(result.await)
}

async fn postpone(
    visit: &Visit,
    presented: &PresentedSession,
    waiting: &Interaction,
) -> Result<Response, PageError> {
    Ok(if factor::postpone(&visit.app, presented, waiting).await? {
        Redirect::to(&onward_path(waiting)).into_response()
    } else {
        to(paths::SIGN_IN_ENROLL, waiting)
    })
}
