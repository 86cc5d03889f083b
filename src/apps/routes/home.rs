//! `GET /`: what the API served, or the front page for who is not signed in.

use axum::extract::{OriginalUri, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::announcement;
use super::browser::Browser;
use super::outcome::{AppError, frame};
use super::session::{PATIENCE_OF_A_PAGE, ended_page, facts};
use super::sign_in;
use crate::apps::api::{ApiError, ClinicDetails, Me, Members, Visits};
use crate::apps::model::{AppSession, Kind};
use crate::apps::sites::{self, Site};
use crate::apps::standing::{Standing, note_act, refresh, standing};
use crate::apps::{RelyingParty, policy, words};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{
    AnnouncementNotice, AppLink, ConsoleHomePage, Frame, Hidden, Person, Refusal, RefusalPage,
    VisitsHomePage, WelcomePage, paths,
};

/// `GET /`. Without a session the issuer is asked once, silently, whether she is signed in
/// already; `?front` says that it was.
pub(super) async fn home(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    OriginalUri(address): OriginalUri,
) -> Response {
    let clinic = site.clinic.as_ref().map(|c| c.slug.as_str());
    match standing(&rp, browser.session.as_ref(), clinic, PATIENCE_OF_A_PAGE).await {
        Ok(Standing::Live(session)) => {
            let by_person = policy::is_persons_navigation(&headers);
            let done = announced(address.query());
            show(&rp, &site, &browser, &id, (*session, done), by_person).await
        }
        Ok(Standing::Ended(reason)) => ended_page(&rp, reason),
        Ok(Standing::Nobody) if address.query() == Some("front") => welcome(&rp, &site, &id),
        Ok(Standing::Nobody) => sign_in::begin(&rp, &site, &browser, &id, true).await,
        Err(error) => AppError::from(error).respond(&rp, &site, &id),
    }
}

/// What the form of the announcement has just come to.
fn announced(query: Option<&str>) -> Option<AnnouncementNotice> {
    match query?.strip_prefix("done=")? {
        announcement::SAID => Some(AnnouncementNotice::Said),
        announcement::KEPT => Some(AnnouncementNotice::Kept),
        announcement::UNFIT => Some(AnnouncementNotice::Unfit),
        _ => None,
    }
}

fn welcome(rp: &RelyingParty, site: &Site, id: &RequestId) -> Response {
    let shown = WelcomePage {
        frame: frame(rp, site, id),
        app: rp.kind(),
    };
    page::page(StatusCode::OK, &shown)
}

async fn show(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
    id: &RequestId,
    (session, done): (AppSession, Option<AnnouncementNotice>),
    by_person: bool,
) -> Response {
    let outcome = match served(rp, session, by_person).await {
        Ok(outcome) => outcome,
        Err(error) => return error.respond(rp, site, id),
    };
    match outcome {
        Served::Over(reason) => ended_page(rp, reason),
        Served::Page(session, content) => {
            let mut surroundings = Surroundings::of(rp, site, browser, id, &session);
            surroundings.notice = done;
            surroundings.page(rp, *content)
        }
    }
}

/// What the API gave.
enum Served {
    Page(Box<AppSession>, Box<Content>),
    Over(crate::pages::EndReason),
}

/// A page's own part.
struct Content {
    me: Result<Me, Refusal>,
    body: Result<Body, Refusal>,
}

enum Body {
    Visits(Visits),
    Clinic(ClinicDetails, Members),
}

async fn served(
    rp: &RelyingParty,
    mut session: AppSession,
    by_person: bool,
) -> Result<Served, AppError> {
    let token = session.tokens.access_token.clone();
    let mut me = rp.api().get::<Me>("me", &token, by_person).await;
    if me.as_ref().is_err_and(ApiError::is_dead_token) {
        // Refused before its time, such as after a rotation of keys: once more with a fresh one.
        session = match refresh(rp, session).await? {
            Standing::Live(fresh) => *fresh,
            Standing::Ended(reason) => return Ok(Served::Over(reason)),
            Standing::Nobody => return Ok(Served::Over(crate::pages::EndReason::Elsewhere)),
        };
        me = rp
            .api()
            .get("me", &session.tokens.access_token, by_person)
            .await;
    }
    if by_person && me.is_ok() {
        note_act(rp, &mut session).await?;
    }
    let token = &session.tokens.access_token;
    let body = match (rp.kind(), &me) {
        (Kind::Console, _) => clinic(rp, token, by_person).await,
        (kind, me) => {
            let roles = me.as_ref().map_or(&[][..], |me| &me.me.roles);
            let path = words::visits_path(kind, roles);
            rp.api().get(path, token, by_person).await.map(Body::Visits)
        }
    };
    let content = Content {
        me: me.map_err(ApiError::shown),
        body: body.map_err(ApiError::shown),
    };
    Ok(Served::Page(Box::new(session), Box::new(content)))
}

async fn clinic(rp: &RelyingParty, token: &str, by_person: bool) -> Result<Body, ApiError> {
    let details = rp.api().get("clinic", token, by_person).await?;
    let members = rp.api().get("members", token, by_person).await?;
    Ok(Body::Clinic(details, members))
}

/// What surrounds the content.
struct Surroundings {
    frame: Frame,
    csrf: Hidden,
    person: Person,
    apps: Vec<AppLink>,
    app_origin: String,
    draft: Option<String>,
    notice: Option<AnnouncementNotice>,
}

impl Surroundings {
    fn of(
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
            app_origin: rp.sites().origin(clinic.label()),
            draft: session.draft.clone(),
            notice: None,
        }
    }

    fn page(mut self, rp: &RelyingParty, content: Content) -> Response {
        let said = match content.me {
            Ok(me) => {
                self.person.roles = words::roles(&me.me.roles);
                self.person.name = me.me.name;
                let may_write = me.me.roles.iter().any(|role| role == "clinic_admin");
                let text = me.announcement.map(|announcement| announcement.text);
                (text, may_write)
            }
            Err(refusal) => return self.refusal(rp, refusal),
        };
        let origin = Some(rp.app().issuer());
        match (rp.kind(), content.body) {
            (Kind::Console, body) => {
                page::page_leading_to(StatusCode::OK, &self.clinic(body, said), origin)
            }
            (app, body) => {
                page::page_leading_to(StatusCode::OK, &self.visits(app, body, said.0), origin)
            }
        }
    }

    fn refusal(self, rp: &RelyingParty, refusal: Refusal) -> Response {
        let Self {
            frame,
            csrf,
            person,
            apps,
            ..
        } = self;
        let shown = RefusalPage {
            frame,
            csrf,
            person,
            apps,
            refusal,
        };
        page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
    }

    fn visits(
        self,
        app: Kind,
        body: Result<Body, Refusal>,
        announcement: Option<String>,
    ) -> VisitsHomePage {
        let (visits, refusal) = match body {
            Ok(Body::Visits(visits)) => (words::visits(visits, app), None),
            Ok(Body::Clinic(..)) => (Vec::new(), None),
            Err(refusal) => (Vec::new(), Some(refusal)),
        };
        let Self {
            frame,
            csrf,
            person,
            apps,
            ..
        } = self;
        VisitsHomePage {
            frame,
            app,
            csrf,
            person,
            apps,
            announcement,
            visits,
            refusal,
        }
    }

    fn clinic(
        self,
        body: Result<Body, Refusal>,
        (announcement, may_write): (Option<String>, bool),
    ) -> ConsoleHomePage {
        let Self {
            frame,
            csrf,
            person,
            apps,
            app_origin,
            draft,
            notice,
        } = self;
        let (facts, members, refusal) = match body {
            Ok(Body::Clinic(details, members)) => (
                words::facts(details, app_origin),
                words::members(members),
                None,
            ),
            Ok(Body::Visits(_)) => (Vec::new(), Vec::new(), None),
            Err(refusal) => (Vec::new(), Vec::new(), Some(refusal)),
        };
        ConsoleHomePage {
            frame,
            csrf,
            person,
            apps,
            facts,
            members,
            announcement,
            draft: may_write.then(|| draft.unwrap_or_default()),
            notice,
            refusal,
        }
    }
}
