//! What every page of a signed-in person has around it, and who the API says she is.

use axum::response::Response;
use http::StatusCode;
use lanyard_verifier::{Banner, GrantId, Preset, SubjectId, SupportSession};
use uuid::Uuid;

use super::door::Door;
use super::outcome::{AppError, frame};
use super::session::facts;
use crate::apps::api::{ApiError, Me};
use crate::apps::model::{AppSession, Kind};
use crate::apps::standing::{Standing, end, note_act, refresh};
use crate::apps::{RelyingParty, policy, sites, words};
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
    if is_dead && session.tokens.acting.is_some() {
        // Refused as fresh as it is: what it was given for is over.
        let reason = EndReason::ImpersonationOver;
        end(rp, &session, reason).await?;
        return Ok(Known::Over(reason));
    }
    if is_dead {
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

/// Who is signed in on a page, and what surrounds it.
pub(super) struct Inside {
    pub(super) around: Surroundings,
    pub(super) session: AppSession,
    pub(super) me: Me,
}

impl Inside {
    /// To ask the API with.
    pub(super) fn token(&self) -> &str {
        &self.session.tokens.access_token
    }
}

impl Surroundings {
    pub(super) fn of(door: &Door, session: &AppSession) -> Self {
        let rp = &door.rp;
        let csrf = door.browser.csrf(rp);
        let clinic = &session.tokens.clinic;
        let mut frame = frame(rp, &door.site, &door.id);
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
