//! `GET` and `POST /impersonation/{grant}/enter`, `POST /impersonation/{grant}/end`: support's own
//! browser, on the session in which the grant was started.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;

use super::{frame, signed_in};
use crate::account::impersonation::{self as service, Enterable, Seen};
use crate::http::browser::SetCookies;
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page_leading_to};
use crate::http::visit::Visit;
use crate::ids::{ClientId, ImpersonationId};
use crate::impersonation::service::Answer;
use crate::pages::{Clinic, EnterApp, EnterPage, Enterable as Shown, Hidden, paths};

/// `GET`: which apps of the clinic can be entered.
pub(super) async fn show(Path(grant): Path<String>, visit: Visit) -> Response {
    let result = look(&visit, &grant);
    visit.answer(result.await)
}

async fn look(visit: &Visit, grant: &str) -> Result<Response, PageError> {
    let id = parse(grant)?;
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let seen = match service::look(&visit.app, &present, id).await? {
        Seen::Unknown => return Err(PageError::NotFound),
        Seen::Over => None,
        Seen::Stands(seen) => Some(seen),
    };
    let origins: Vec<_> = seen.iter().flat_map(|seen| &seen.apps).collect();
    let origins = origins
        .iter()
        .map(|(_, address)| address.origin().ascii_serialization());
    let origins = origins.collect::<Vec<_>>().join(" ");
    let mut frame = frame(visit, &present, present.clocks);
    let enterable = seen.map(|seen| {
        frame.clinic = Some(Clinic {
            name: seen.clinic.name.clone(),
            accent: seen.clinic.accent.parse().unwrap_or_default(),
        });
        shown(*seen)
    });
    let shown = EnterPage {
        frame,
        csrf: Hidden::from(visit.browser.csrf()),
        grant: id.to_string(),
        back_href: back_href(visit),
        enterable,
    };
    Ok(page_leading_to(StatusCode::OK, &shown, Some(&origins)))
}

/// The list of grants in the platform's own console.
fn back_href(visit: &Visit) -> String {
    let console = &visit.app.config.apps.platform.url;
    format!(
        "{}{}",
        console.origin().ascii_serialization(),
        paths::PLATFORM_SUPPORT
    )
}

fn shown(seen: Enterable) -> Shown {
    let grant = &seen.ground.grant;
    Shown {
        person: seen.ground.subject_name,
        clinic: seen.clinic.name,
        preset: grant.preset.as_str(),
        reason: grant.reason.clone(),
        ticket: grant.ticket.clone(),
        ends_at: grant.ends_at.unwrap_or(seen.ground.token_ends_at),
        apps: seen
            .apps
            .into_iter()
            .map(|(client, address)| EnterApp {
                client: client.id.as_str().to_owned(),
                name: client.name,
                host: address.host_str().unwrap_or_default().to_owned(),
            })
            .collect(),
    }
}

fn parse(grant: &str) -> Result<ImpersonationId, PageError> {
    grant.parse().map_err(|_| PageError::NotFound)
}

/// The form about one app.
#[derive(Debug, Deserialize)]
pub(super) struct Chosen {
    client: String,
}

/// `POST`: makes the one-time transfer, and sends the browser to the app (OIDC Core §4).
pub(super) async fn enter(
    Path(grant): Path<String>,
    OwnForm { visit, fields }: OwnForm<Chosen>,
) -> Response {
    let result = go(&visit, &grant, &fields.client);
    visit.answer(result.await)
}

async fn go(visit: &Visit, grant: &str, client: &str) -> Result<Response, PageError> {
    let id = parse(grant)?;
    let client = ClientId::parse(client).ok_or(PageError::NotFound)?;
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let made = service::enter(&visit.app, &present, (id, &client)).await?;
    let Some((made, mut address)) = made else {
        // The page says how it stands now.
        return Ok(back(id));
    };
    address
        .query_pairs_mut()
        .append_pair("iss", visit.app.issuer())
        .append_pair("login_hint", &made.login_hint);
    let cookies = SetCookies::default().transfer(&made.cookie);
    Ok((cookies, Redirect::to(address.as_str())).into_response())
}

fn back(id: ImpersonationId) -> Response {
    Redirect::to(&paths::impersonation_enter(&id.to_string())).into_response()
}

/// No field beside `csrf`.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// `POST /impersonation/{grant}/end`.
pub(super) async fn end(
    Path(grant): Path<String>,
    OwnForm { visit, .. }: OwnForm<Nothing>,
) -> Response {
    let result = async {
        let id = parse(&grant)?;
        let present = match signed_in(&visit).await? {
            Ok(present) => present,
            Err(elsewhere) => return Ok(elsewhere),
        };
        match service::end(&visit.app, &present, id).await? {
            Answer::Unknown => Err(PageError::NotFound),
            Answer::Done(_) | Answer::Denied(_) => Ok(back(id)),
        }
    };
    let answer = result.await;
    visit.answer(answer)
}
