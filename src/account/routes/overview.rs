//! The account page.

use axum::response::Response;
use http::StatusCode;

use super::{frame, signed_in};
use crate::account::service;
use crate::app::App;
use crate::apps::{policy as apps, sites};
use crate::http::page::{PageError, page};
use crate::http::visit::Visit;
use crate::identity::membership::Membership;
use crate::ids::TenantId;
use crate::impersonation::State;
use crate::oidc::consent::words;
use crate::pages::{
    AccountNotice, AccountPage, AppRow, Clinic, ClinicApp, Hidden, MembershipRow, SessionRow,
    role_words,
};

/// Values of `?done=`: what a form of this page has just done.
pub(super) const SESSION_ENDED: &str = "session_ended";
/// The same, for the password.
pub(super) const PASSWORD_CHANGED: &str = "password_changed";
/// The same, for an app.
pub(super) const APP_REMOVED: &str = "app_removed";

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
    let consents = seen.consents.into_iter().enumerate();
    let apps = consents.filter_map(|(number, (at, given))| {
        let membership = seen.memberships.get(at)?;
        Some(AppRow {
            number,
            name: given.client_name,
            clinic: face(membership),
            wishes: words::in_words(&given.scopes),
            since: given.first_given_at,
            last_used_at: given.last_used_at,
            slug: membership.clinic.slug.clone(),
            client: given.client_id,
        })
    });
    let apps = apps.collect();
    let memberships = seen.memberships.iter().map(|membership| MembershipRow {
        roles: role_words(&membership.roles),
        clinic: face(membership),
        apps: own_apps(&visit.app, membership),
    });
    let shown = AccountPage {
        frame: frame(visit, &present, seen.clocks),
        csrf: Hidden::from(visit.browser.csrf()),
        login: seen.login,
        now: visit.app.env.now(),
        sessions: sessions.collect(),
        memberships: memberships.collect(),
        devices: u32::try_from(seen.factors.devices).unwrap_or_default(),
        codes_left: u32::try_from(seen.factors.recovery_codes).unwrap_or_default(),
        apps,
        support_acts: seen.support == Some(State::Active),
        support_asks: seen.support == Some(State::Requested),
        notice: match visit.parameter("done").as_deref() {
            Some(SESSION_ENDED) => Some(AccountNotice::SessionEnded),
            Some(PASSWORD_CHANGED) => Some(AccountNotice::PasswordChanged),
            Some(APP_REMOVED) => Some(AccountNotice::AppRemoved),
            _ => None,
        },
    };
    Ok(page(StatusCode::OK, &shown))
}

fn face(membership: &Membership) -> Clinic {
    Clinic {
        name: membership.clinic.name.clone(),
        accent: membership.clinic.accent.parse().unwrap_or_default(),
    }
}

/// The platform's apps that are for someone of these roles, at the clinic's own hosts.
fn own_apps(app: &App, membership: &Membership) -> Vec<ClinicApp> {
    let is_platform = membership.clinic.tenant_id == TenantId::PLATFORM;
    let slug = (!is_platform).then_some(membership.clinic.slug.as_str());
    sites::addresses(&app.config, slug)
        .filter(|(kind, _)| apps::is_for(*kind, &membership.roles))
        .map(|(kind, origin)| ClinicApp {
            name: kind.name(),
            href: format!("{origin}/"),
        })
        .collect()
}
