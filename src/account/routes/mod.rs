//! The account's pages, one a file.

mod apps;
pub(crate) mod factors;
mod impersonation;
mod overview;
mod password;
mod sessions;
mod support;

use axum::Router;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};

use super::factors::demand;
use super::service::{self, Asked};
use crate::app::App;
use crate::http::browser::SetCookies;
use crate::http::line;
use crate::http::page::PageError;
use crate::http::visit::Visit;
use crate::identity::factor::Demand;
use crate::oidc::interaction::Purpose;
use crate::pages::{EndReason, Frame, Hidden, SessionFacts, paths};
use crate::sessions::Clocks;
use crate::sessions::present::{self, Presence, Present};

/// The pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route(paths::ACCOUNT, get(overview::show))
        .route(
            paths::ACCOUNT_PASSWORD,
            get(password::show).post(password::take),
        )
        .route(paths::ACCOUNT_FACTORS, get(factors::show))
        .route(
            paths::ACCOUNT_FACTORS_ADD,
            get(factors::show_add).post(factors::add),
        )
        .route(paths::ACCOUNT_FACTORS_REMOVE, post(factors::remove))
        .route(paths::ACCOUNT_FACTORS_RENAME, post(factors::rename))
        .route(paths::ACCOUNT_RECOVERY_CODES, post(factors::renew_codes))
        .route(paths::ACCOUNT_END_SESSION, post(self::sessions::end_one))
        .route(paths::ACCOUNT_END_ALL, post(self::sessions::end_all))
        .route(paths::ACCOUNT_REMOVE_APP, post(apps::remove))
        .route(paths::ACCOUNT_SUPPORT, get(support::show))
        .route(paths::ACCOUNT_SUPPORT_ANSWER, post(support::answer))
        .route(paths::ACCOUNT_SUPPORT_END, post(support::end))
        .route(
            paths::IMPERSONATION_ENTER,
            get(impersonation::show).post(impersonation::enter),
        )
        .route(paths::IMPERSONATION_END, post(impersonation::end))
}

/// The live session behind the browser, all of whose proof was given, or where to go instead: to
/// sign in, to the rest of it, or to the page that says why the session is over.
async fn signed_in(visit: &Visit) -> Result<Result<Box<Present>, Response>, PageError> {
    let presence = present::find_own(&visit.app, visit.browser.session.as_ref()).await?;
    Ok(match presence {
        Presence::Here(present) => {
            let account = present.session.account;
            line::note(|facts| facts.actor = Some(account.as_uuid()));
            match demand(&visit.app, &present).await? {
                Demand::Nothing => Ok(present),
                Demand::Prove => Err(asked_at(visit, paths::SIGN_IN_CODE, false).await?),
                Demand::Enroll { .. } => Err(asked_at(visit, paths::SIGN_IN_ENROLL, false).await?),
            }
        }
        Presence::Lapsed(_) => Err(asked_at(visit, paths::SIGN_IN, true).await?),
        Presence::Over(reason) => Err(signed_out(EndReason::from(reason))),
        Presence::Nobody => Err(asked_at(visit, paths::SIGN_IN, false).await?),
    })
}

/// To a page of signing in that leads back here; `anew`: not with the present session.
async fn asked_at(visit: &Visit, path: &str, anew: bool) -> Result<Response, PageError> {
    let (app, browser) = (&visit.app, visit.browser.digest());
    let asked = Asked {
        purpose: Purpose::Account,
        login: None,
        anew,
    };
    let flow = service::ask(app, browser, asked).await?;
    Ok(Redirect::to(&format!("{path}?flow={flow}")).into_response())
}

/// To the page that says why, without the cookie.
fn signed_out(reason: EndReason) -> Response {
    let to = format!("{}?reason={}", paths::SIGNED_OUT, reason.word());
    (SetCookies::default().no_session(), Redirect::to(&to)).into_response()
}

/// The frame of a page with someone signed in.
fn frame(visit: &Visit, present: &Present, clocks: Clocks) -> Frame {
    let mut frame = visit.frame();
    let idle = present.limits.idle.whole_seconds();
    frame.session = Some(SessionFacts {
        server_now: visit.app.env.now(),
        idle_ends_at: clocks.idle_ends_at,
        session_ends_at: clocks.session_ends_at,
        idle_limit_seconds: u32::try_from(idle).unwrap_or(u32::MAX),
        csrf: Hidden::from(visit.browser.csrf()),
        sign_out_path: paths::ACCOUNT_END_SESSION,
    });
    frame
}
