//! Step three: which clinic, for people who belong to several.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::{find, flow, frame, leads_to, onward, to};
use crate::account::factors as factor;
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page_leading_to};
use crate::http::visit::Visit;
use crate::identity::factor::Demand;
use crate::pages::{ChooserPage, Clinic, ClinicChoice, Hidden, paths, role_words};
use crate::sessions::present::{self, Presence};
use crate::sign_in::chooser;

/// `GET /sign-in/clinic?flow=`.
pub(super) async fn show(visit: Visit) -> Response {
    let result = offer(&visit);
    visit.answer(result.await)
}

async fn offer(visit: &Visit) -> Result<Response, PageError> {
    let interaction = find(visit, visit.parameter("flow").as_deref()).await?;
    let presence = present::find(&visit.app, visit.browser.session.as_ref()).await?;
    let Presence::Here(present) = presence else {
        return Ok(to(paths::SIGN_IN, &interaction));
    };
    // Where she belongs is told to whoever has proved all that she has.
    if factor::demand(&visit.app, &present).await? == Demand::Prove {
        return Ok(to(paths::SIGN_IN_CODE, &interaction));
    }
    let offered = chooser::offer(&visit.app, &present).await?;
    let clinics = offered
        .memberships
        .into_iter()
        .map(|membership| ClinicChoice {
            slug: membership.clinic.slug,
            roles: role_words(&membership.roles),
            clinic: Clinic {
                name: membership.clinic.name,
                accent: membership.clinic.accent.parse().unwrap_or_default(),
            },
        });
    let shown = ChooserPage {
        frame: frame(visit, &interaction),
        csrf: Hidden::from(visit.browser.csrf()),
        flow: flow(&interaction),
        login: offered.login,
        clinics: clinics.collect(),
    };
    let leads_to = leads_to(&interaction);
    Ok(page_leading_to(StatusCode::OK, &shown, leads_to.as_deref()))
}

/// The form.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    flow: String,
    organization: String,
}

/// `POST /sign-in/clinic`.
pub(super) async fn take(OwnForm { visit, fields }: OwnForm<Fields>) -> Response {
    let result = take_choice(&visit, &fields);
    visit.answer(result.await)
}

async fn take_choice(visit: &Visit, fields: &Fields) -> Result<Response, PageError> {
    let mut interaction = find(visit, Some(&fields.flow)).await?;
    let presence = present::find(&visit.app, visit.browser.session.as_ref()).await?;
    let Presence::Here(present) = presence else {
        return Ok(to(paths::SIGN_IN, &interaction));
    };
    if factor::demand(&visit.app, &present).await? == Demand::Prove {
        return Ok(to(paths::SIGN_IN_CODE, &interaction));
    }
    let slug = &fields.organization;
    // A clinic that is not hers is as one that is not there.
    if !chooser::choose(&visit.app, &present, &mut interaction, slug).await? {
        return Err(PageError::NotFound);
    }
    Ok(onward(&interaction))
}
