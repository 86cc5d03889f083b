//! The account page.

use axum::response::Response;
use http::StatusCode;

use super::{frame, signed_in};
use crate::account::service;
use crate::http::page::{PageError, page};
use crate::http::visit::Visit;
use crate::pages::{
    AccountNotice, AccountPage, Clinic, Hidden, MembershipRow, SessionRow, role_words,
};

/// Values of `?done=`: what a form of this page has just done.
pub(super) const SESSION_ENDED: &str = "session_ended";
/// The same, for the password.
pub(super) const PASSWORD_CHANGED: &str = "password_changed";

/// `GET /account`.
pub(super) async fn show(visit: Visit) -> Response {
    let result = look(&visit);
    visit.answer(result.await)
}

async fn look(visit: &Visit) -> Result<Response, PageError> {
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let seen = service::look(&visit.app, &present).await?;
    let sessions = seen.sessions.into_iter().map(|session| SessionRow {
        is_this_device: session.id == present.session.id,
        id: session.id.to_string(),
        device: session.device_label,
        started_at: session.authenticated_at,
        last_active_at: session.active_at,
    });
    let memberships = seen
        .memberships
        .into_iter()
        .map(|membership| MembershipRow {
            roles: role_words(&membership.roles),
            clinic: Clinic {
                name: membership.clinic.name,
                accent: membership.clinic.accent.parse().unwrap_or_default(),
            },
        });
    let shown = AccountPage {
        frame: frame(visit, seen.clocks),
        csrf: Hidden::from(visit.browser.csrf()),
        login: seen.login,
        now: visit.app.env.now(),
        sessions: sessions.collect(),
        memberships: memberships.collect(),
        devices: u32::try_from(seen.factors.devices).unwrap_or_default(),
        codes_left: u32::try_from(seen.factors.recovery_codes).unwrap_or_default(),
        notice: match visit.parameter("done").as_deref() {
            Some(SESSION_ENDED) => Some(AccountNotice::SessionEnded),
            Some(PASSWORD_CHANGED) => Some(AccountNotice::PasswordChanged),
            _ => None,
        },
    };
    Ok(page(StatusCode::OK, &shown))
}
