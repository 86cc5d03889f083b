//! What every page of a signed-in person has around it, and who the API says she is.

use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};

use super::HOME;
use super::browser::Browser;
use super::outcome::{AppError, frame};
use super::session::{PATIENCE_OF_A_PAGE, ended_page, facts};
use crate::apps::api::{ApiError, Me};
use crate::apps::model::{AppSession, Kind};
use crate::apps::sites::{self, Site};
use crate::apps::standing::{Standing, note_act, refresh, standing};
use crate::apps::{RelyingParty, policy, words};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{AppLink, EndReason, Person, Refusal, RefusalPage, Surroundings, paths};

/// What became of a session when the API was asked who she is.
pub(super) enum Known {
    /// It goes on; the API told, or refused.
    Here(Box<AppSession>, Result<Me, ApiError>),
    /// It is over.
    Over(EndReason),
}

/// Asks the API who she is, with a fresh token if it takes this one no more.
///
/// - `by_person`: whether a person did what makes us ask; then it is noted as her act.
pub(super) async fn known(
    rp: &RelyingParty,
    mut session: AppSession,
    by_person: bool,
) -> Result<Known, AppError> {
    let token = session.tokens.access_token.clone();
    let mut me = rp.api().get::<Me>("me", &token, by_person).await;
    if me.as_ref().is_err_and(ApiError::is_dead_token) {
        // Refused before its time, such as after a rotation of keys: once more with a fresh one.
        session = match refresh(rp, session).await? {
            Standing::Live(fresh) => *fresh,
            Standing::Ended(reason) => return Ok(Known::Over(reason)),
            Standing::Nobody => return Ok(Known::Over(EndReason::Elsewhere)),
        };
        me = rp
            .api()
            .get("me", &session.tokens.access_token, by_person)
            .await;
    }
    if by_person && me.is_ok() {
        note_act(rp, &mut session).await?;
    }
    Ok(Known::Here(Box::new(session), me))
}

/// A page below the first, for whoever is signed in.
pub(super) enum Opened {
    /// What surrounds it, and the access token to ask the API with.
    Here(Box<Surroundings>, String),
    /// There is another answer.
    Answered(Response),
}

/// Opens such a page; who is not signed in is led to the first one.
pub(super) async fn open(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
    id: &RequestId,
    headers: &HeaderMap,
) -> Opened {
    let clinic = site.clinic.as_ref().map(|c| c.slug.as_str());
    let found = standing(rp, browser.session.as_ref(), clinic, PATIENCE_OF_A_PAGE).await;
    let session = match found {
        Ok(Standing::Live(session)) => *session,
        Ok(Standing::Ended(reason)) => return Opened::Answered(ended_page(rp, reason)),
        Ok(Standing::Nobody) => return Opened::Answered(Redirect::to(HOME).into_response()),
        Err(error) => return Opened::Answered(AppError::from(error).respond(rp, site, id)),
    };
    let by_person = policy::is_persons_navigation(headers);
    match known(rp, session, by_person).await {
        Ok(Known::Here(session, me)) => {
            let around = Surroundings::of(rp, site, browser, id, &session);
            match me {
                Ok(me) => Opened::Here(Box::new(around.with(&me)), session.tokens.access_token),
                Err(refused) => Opened::Answered(around.refusal(rp, refused.shown())),
            }
        }
        Ok(Known::Over(reason)) => Opened::Answered(ended_page(rp, reason)),
        Err(error) => Opened::Answered(error.respond(rp, site, id)),
    }
}

impl Surroundings {
    pub(super) fn of(
        rp: &RelyingParty,
        site: &Site,
        browser: &Browser,
        id: &RequestId,
        session: &AppSession,
    ) -> Self {
        let csrf = browser.csrf(rp);
        let clinic = &session.tokens.clinic;
        let mut frame = frame(rp, site, id);
        frame.clinic = Some(clinic.shown());
        frame.session = Some(facts(rp, session, &csrf));
        let link = |(app, origin): (Kind, String)| AppLink {
            app,
            href: format!("{origin}/"),
            is_current: app == rp.kind(),
        };
        Self {
            frame,
            csrf: csrf.into(),
            person: Person {
                name: session.tokens.name.clone().unwrap_or_default(),
                roles: String::new(),
                account_href: format!("{}{}", rp.app().issuer(), paths::ACCOUNT),
            },
            apps: sites::addresses(&rp.app().config, clinic.label())
                .map(link)
                .collect(),
        }
    }

    /// Who she is, as the API says it.
    pub(super) fn with(mut self, me: &Me) -> Self {
        self.person.roles = words::roles(&me.me.roles);
        self.person.name.clone_from(&me.me.name);
        self
    }

    /// A whole page for a refusal.
    pub(super) fn refusal(self, rp: &RelyingParty, refusal: Refusal) -> Response {
        let shown = RefusalPage {
            around: self,
            refusal,
        };
        page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
    }
}
