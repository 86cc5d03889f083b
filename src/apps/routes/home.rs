//! `GET /`: what the API served, or the front page for who is not signed in.

use axum::extract::OriginalUri;
use axum::response::Response;
use http::StatusCode;

use super::announcement;
use super::deed::Deed;
use super::door::Door;
use super::outcome::frame;
use super::platform;
use super::session::{PATIENCE_OF_A_PAGE, ended_page};
use super::sign_in;
use super::surroundings::{Known, known};
use crate::apps::api::{ApiError, ClinicDetails, Me, Members, Visits};
use crate::apps::care::Waiting;
use crate::apps::model::{AppSession, Kind};
use crate::apps::staff::{Impersonation, Impersonations};
use crate::apps::standing::Standing;
use crate::apps::{RelyingParty, policy, words};
use crate::http::page;
use crate::pages::{
    AnnouncementNotice, ConsoleHomePage, Refusal, Surroundings, VisitsHomePage, WelcomePage,
};

/// `GET /`. Without a session the issuer is asked once, silently, whether she is signed in
/// already; `?front` says that it was.
pub(super) async fn home(door: Door, OriginalUri(address): OriginalUri) -> Response {
    match door.standing(PATIENCE_OF_A_PAGE).await {
        Ok(Standing::Live(session)) => {
            let done = announced(address.query());
            show(&door, (*session, done)).await
        }
        Ok(Standing::Ended(reason)) => ended_page(&door.rp, reason),
        Ok(Standing::Nobody) if address.query() == Some("front") => welcome(&door),
        Ok(Standing::Nobody) => sign_in::begin(&door, true).await,
        Err(error) => door.refuse(error),
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

fn welcome(door: &Door) -> Response {
    let shown = WelcomePage {
        frame: frame(&door.rp, &door.site, &door.id),
        app: door.rp.kind(),
    };
    page::page(StatusCode::OK, &shown)
}

/// A page's own part.
enum Body {
    Visits(Visits),
    Clinic(ClinicDetails, Members, Alerts),
}

/// What wants somebody's eyes, as far as who looks is told.
struct Alerts {
    emergencies: Option<Waiting>,
    support: Option<Impersonations>,
}

async fn show(door: &Door, (session, done): (AppSession, Option<AnnouncementNotice>)) -> Response {
    let rp = &door.rp;
    let by_person = policy::is_persons_navigation(&door.headers);
    let (session, me) = match known(rp, session, by_person).await {
        Ok(Known::Here(session, me)) => (session, me),
        Ok(Known::Over(reason)) => return ended_page(rp, reason),
        Ok(Known::Renew(session)) => return sign_in::renew(door, &session).await,
        Err(error) => return door.refuse(error),
    };
    let around = Surroundings::of(door, &session);
    let me = match me {
        Ok(me) => me,
        Err(refused) => return around.refusal(rp, refused.shown()),
    };
    let around = around.with(&me);
    let token = &session.tokens.access_token;
    let body = match rp.kind() {
        Kind::Platform => return platform::home(door, around, &me, token).await,
        Kind::Console => clinic(rp, token, by_person).await,
        kind => {
            let path = words::visits_path(kind, &me.me.roles);
            rp.api().get(path, token, by_person).await.map(Body::Visits)
        }
    };
    let body = body.map_err(ApiError::shown);
    match rp.kind() {
        Kind::Console => {
            let shown = Console {
                around,
                body,
                me,
                notice: done,
            };
            door.show(&shown.page(rp, *session))
        }
        app => door.show(&visits(around, app, body, me)),
    }
}

async fn clinic(rp: &RelyingParty, token: &str, by_person: bool) -> Result<Body, ApiError> {
    let details = rp.api().get("clinic", token, by_person).await?;
    let members = rp.api().get("members", token, by_person).await?;
    // Not everybody there may see these, and the page is worth showing without.
    let emergencies = rp.api().get("emergency-accesses/waiting", token, false);
    let support = rp.api().get("impersonations", token, false);
    let (emergencies, support) = tokio::join!(emergencies, support);
    let alerts = Alerts {
        emergencies: emergencies.ok(),
        support: support.ok(),
    };
    Ok(Body::Clinic(details, members, alerts))
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

/// How many grants wait for the clinic's yes, and how many go on.
fn support_now(support: &Impersonations) -> (usize, usize) {
    let count = |is_so: fn(&Impersonation) -> bool| {
        let all = support.impersonations.iter();
        all.filter(|grant| is_so(grant)).count()
    };
    (
        count(Impersonation::asks_clinic),
        count(|grant| grant.state == "active"),
    )
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
        let (mut emergencies, mut support) = (None, None);
        let (facts, members, refusal) = match body {
            Ok(Body::Clinic(details, members, alerts)) => {
                emergencies = alerts.emergencies.map(|waiting| waiting.waiting);
                support = alerts.support.map(|support| support_now(&support));
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
            support,
            notice,
            reads_log: is_admin || me.me.has_role("compliance_lead"),
            refusal,
        }
    }
}
