//! What every page of a signed-in person has around it, and who the API says she is.

use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use lanyard_verifier::{Banner, GrantId, Preset, SubjectId, SupportSession};
use uuid::Uuid;

use super::HOME;
use super::browser::Browser;
use super::outcome::{AppError, frame};
use super::session::{PATIENCE_OF_A_PAGE, ended_page, facts};
use super::sign_in;
use crate::apps::api::{ApiError, Me};
use crate::apps::model::{AppSession, Kind};
use crate::apps::sites::{self, Site};
use crate::apps::standing::{Standing, note_act, refresh, standing};
use crate::apps::{RelyingParty, policy, words};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{
    ActingBanner, AppLink, EndReason, Person, Refusal, RefusalPage, Surroundings, paths,
};

/// What became of a session when the API was asked who she is.
pub(super) enum Known {
    /// It goes on; the API told, or refused.
    Here(Box<AppSession>, Result<Me, ApiError>),
    /// It is over.
    Over(EndReason),
    /// The browser has to fetch it another token.
    Renew(Box<AppSession>),
}

/// Asks the API who she is, with a fresh token if it takes this one no more.
///
/// - `by_person`: whether a person did what makes us ask; then it is noted as her act.
pub(super) async fn known(
    rp: &RelyingParty,
    mut session: AppSession,
    by_person: bool,
) -> Result<Known, AppError> {
    let now = rp.app().env.now();
    if policy::must_renew(&session, now, false) {
        return Ok(Known::Renew(Box::new(session)));
    }
    let token = session.tokens.access_token.clone();
    let mut me = rp.api().get::<Me>("me", &token, by_person).await;
    let is_dead = me.as_ref().is_err_and(ApiError::is_dead_token);
    if is_dead && policy::must_renew(&session, now, true) {
        return Ok(Known::Renew(Box::new(session)));
    }
    if is_dead && session.tokens.acting.is_none() {
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

/// Who is signed in on such a page, and what surrounds it.
pub(super) struct Inside {
    pub(super) around: Surroundings,
    pub(super) session: AppSession,
    pub(super) me: Me,
}

/// Opens such a page; who is not signed in is led to the first one.
pub(super) async fn open(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
    id: &RequestId,
    headers: &HeaderMap,
) -> Opened {
    match enter(rp, site, browser, id, headers).await {
        Ok(inside) => {
            let Inside {
                around, session, ..
            } = *inside;
            Opened::Here(Box::new(around), session.tokens.access_token)
        }
        Err(answer) => Opened::Answered(answer),
    }
}

/// The same for a page that asks who she is.
pub(super) async fn enter(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
    id: &RequestId,
    headers: &HeaderMap,
) -> Result<Box<Inside>, Response> {
    let clinic = site.clinic.as_ref().map(|c| c.slug.as_str());
    let found = standing(rp, browser.session.as_ref(), clinic, PATIENCE_OF_A_PAGE).await;
    let session = match found {
        Ok(Standing::Live(session)) => *session,
        Ok(Standing::Ended(reason)) => return Err(ended_page(rp, reason)),
        Ok(Standing::Nobody) => return Err(Redirect::to(HOME).into_response()),
        Err(error) => return Err(AppError::from(error).respond(rp, site, id)),
    };
    let by_person = policy::is_persons_navigation(headers);
    match known(rp, session, by_person).await {
        Ok(Known::Here(session, me)) => {
            let around = Surroundings::of(rp, site, browser, id, &session);
            match me {
                Ok(me) => Ok(Box::new(Inside {
                    around: around.with(&me),
                    session: *session,
                    me,
                })),
                Err(refused) => Err(around.refusal(rp, refused.shown())),
            }
        }
        Ok(Known::Over(reason)) => Err(ended_page(rp, reason)),
        Ok(Known::Renew(session)) => Err(sign_in::renew(rp, site, browser, id, &session).await),
        Err(error) => Err(error.respond(rp, site, id)),
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
        frame.acting = banner(rp, session, &csrf);
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
                .filter(|(app, _)| clinic.label().is_some() || !app.is_a_clinics())
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

/// Who acts as whom, until when: on every page of a session under `act`.
fn banner(rp: &RelyingParty, session: &AppSession, csrf: &str) -> Option<ActingBanner> {
    let acting = session.tokens.acting.as_ref()?;
    let shown = SupportSession {
        actor: SubjectId::from_uuid(acting.actor),
        subject: session
            .tokens
            .subject
            .parse()
            .unwrap_or(SubjectId::from_uuid(Uuid::nil())),
        grant: GrantId::from_uuid(acting.grant),
        // An unknown word is one of a later issuer's: the least that there is.
        preset: acting.preset.parse().unwrap_or(Preset::ReadOnly),
        until: session.told.session_ends_at,
    };
    let name = |name: &Option<String>, otherwise: &str| {
        name.clone().unwrap_or_else(|| otherwise.to_owned())
    };
    let actor = name(&acting.actor_name, "Support");
    let subject = name(&session.tokens.name, "a person of this clinic");
    let banner = Banner::of_session(shown, paths::APP_SIGN_OUT, rp.app().env.now());
    Some(banner.names(actor, subject).ends_by_form(csrf).into())
}
