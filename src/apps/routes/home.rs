//! `GET /`: what the API served, or the front page for who is not signed in.

use axum::extract::{OriginalUri, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::announcement;
use super::browser::Browser;
use super::deed::Deed;
use super::outcome::{AppError, frame};
use super::platform;
use super::session::{PATIENCE_OF_A_PAGE, ended_page};
use super::sign_in;
use super::surroundings::{Known, known};
use crate::apps::api::{ApiError, ClinicDetails, Me, Members, Visits};
use crate::apps::care::Waiting;
use crate::apps::model::{AppSession, Kind};
use crate::apps::sites::Site;
use crate::apps::standing::{Standing, standing};
use crate::apps::{RelyingParty, policy, words};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{
    AnnouncementNotice, ConsoleHomePage, Refusal, Surroundings, VisitsHomePage, WelcomePage,
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

/// A page's own part.
enum Body {
    Visits(Visits),
    Clinic(ClinicDetails, Members, Option<Waiting>),
}

async fn show(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
    id: &RequestId,
    (session, done): (AppSession, Option<AnnouncementNotice>),
    by_person: bool,
) -> Response {
    let (session, me) = match known(rp, session, by_person).await {
        Ok(Known::Here(session, me)) => (session, me),
        Ok(Known::Over(reason)) => return ended_page(rp, reason),
        Ok(Known::Renew(session)) => {
            return sign_in::renew(rp, site, browser, id, &session).await;
        }
        Err(error) => return error.respond(rp, site, id),
    };
    let around = Surroundings::of(rp, site, browser, id, &session);
    let me = match me {
        Ok(me) => me,
        Err(refused) => return around.refusal(rp, refused.shown()),
    };
    let token = &session.tokens.access_token;
    if rp.kind() == Kind::Platform {
        let is_unconfirmed = done == Some(AnnouncementNotice::Kept);
        return platform::home(rp, around.with(&me), &me, (token, is_unconfirmed)).await;
    }
    let body = match rp.kind() {
        Kind::Console => clinic(rp, token, by_person).await,
        kind => {
            let path = words::visits_path(kind, &me.me.roles);
            rp.api().get(path, token, by_person).await.map(Body::Visits)
        }
    };
    let body = body.map_err(ApiError::shown);
    let around = around.with(&me);
    let origin = Some(rp.app().issuer());
    match rp.kind() {
        Kind::Console => {
            let shown = Console {
                around,
                body,
                me,
                notice: done,
            };
            page::page_leading_to(StatusCode::OK, &shown.page(rp, *session), origin)
        }
        app => page::page_leading_to(StatusCode::OK, &visits(around, app, body, me), origin),
    }
}

async fn clinic(rp: &RelyingParty, token: &str, by_person: bool) -> Result<Body, ApiError> {
    let details = rp.api().get("clinic", token, by_person).await?;
    let members = rp.api().get("members", token, by_person).await?;
    // Not everybody there reviews, and the page is worth showing without.
    let waiting = rp
        .api()
        .get("emergency-accesses/waiting", token, false)
        .await;
    Ok(Body::Clinic(details, members, waiting.ok()))
}

fn visits(around: Surroundings, app: Kind, body: Result<Body, Refusal>, me: Me) -> VisitsHomePage {
    let (visits, refusal) = match body {
        Ok(Body::Visits(visits)) => (words::visits(visits, app), None),
        Ok(Body::Clinic(..)) => (Vec::new(), None),
        Err(refusal) => (Vec::new(), Some(refusal)),
    };
    VisitsHomePage {
        around,
        app,
        opens_in_emergency: app == Kind::Clinician && me.me.has_role("clinician"),
        announcement: me.announcement.map(|announcement| announcement.text),
        visits,
        refusal,
    }
}

/// What the console's first page is made of.
struct Console {
    around: Surroundings,
    body: Result<Body, Refusal>,
    me: Me,
    notice: Option<AnnouncementNotice>,
}

impl Console {
    fn page(self, rp: &RelyingParty, session: AppSession) -> ConsoleHomePage {
        let Self {
            around,
            body,
            me,
            notice,
        } = self;
        let origin = rp.sites().origin(session.tokens.clinic.label());
        let mut emergencies = None;
        let (facts, members, refusal) = match body {
            Ok(Body::Clinic(details, members, waiting)) => {
                emergencies = waiting.map(|waiting| waiting.waiting);
                (words::facts(details, origin), words::members(members), None)
            }
            Ok(Body::Visits(_)) => (Vec::new(), Vec::new(), None),
            Err(refusal) => (Vec::new(), Vec::new(), Some(refusal)),
        };
        let is_admin = me.me.has_role("clinic_admin");
        ConsoleHomePage {
            around,
            facts,
            members,
            announcement: me.announcement.map(|announcement| announcement.text),
            draft: is_admin.then(|| {
                let typed = session.draft.filter(|draft| Deed::parse(draft).is_none());
                typed.unwrap_or_default()
            }),
            emergencies,
            notice,
            reads_log: is_admin || me.me.has_role("compliance_lead"),
            refusal,
        }
    }
}
