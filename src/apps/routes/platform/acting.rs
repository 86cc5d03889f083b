//! `/support`: who of support acts for whom, and what anybody of the platform does about it.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::deed::{self, DONE, Deed, NOT_DONE, REFUSED};
use super::{clinic_of, is_support, names_of, oversees};
use crate::apps::RelyingParty;
use crate::apps::api::ApiError;
use crate::apps::routes::browser::Browser;
use crate::apps::routes::outcome::AppError;
use crate::apps::routes::surroundings::{Inside, enter};
use crate::apps::sites::Site;
use crate::apps::staff::{Impersonation, Impersonations};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{
    ActingForm, ActingNotice, ActingPage, ActingRow, ActingStanding, Refusal, SupportOpened, paths,
};

/// Values of `?done=` beside those of a start.
const ASKED: &str = "asked";
const ENDED: &str = "ended";
const ALL_ENDED: &str = "all-ended";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActingQuery {
    done: Option<String>,
}

fn notice(done: Option<&str>) -> Option<ActingNotice> {
    match done? {
        ASKED => Some(ActingNotice::Asked),
        ENDED => Some(ActingNotice::Ended),
        ALL_ENDED => Some(ActingNotice::AllEnded),
        other => match other.strip_prefix("start-").unwrap_or(other) {
            DONE => Some(ActingNotice::Started),
            REFUSED => Some(ActingNotice::Refused),
            NOT_DONE => Some(ActingNotice::NotDone),
            _ => None,
        },
    }
}

/// `GET`.
pub(super) async fn list(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    query: Result<Query<ActingQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(query)) = query else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    match enter(&rp, &site, &browser, &id, &headers).await {
        Ok(inside) => {
            let notice = notice(query.done.as_deref());
            show(&rp, *inside, ActingForm::default(), notice).await
        }
        Err(answer) => answer,
    }
}

/// The grants that he is shown: his own, and of all clinics if he oversees.
#[derive(Default)]
struct Given {
    own: Vec<Impersonation>,
    all: Vec<Impersonation>,
}

async fn given(rp: &RelyingParty, inside: &Inside) -> Result<Given, Refusal> {
    let token = &inside.session.tokens.access_token;
    let mut given = Given::default();
    if is_support(&inside.me.me) {
        let own = rp
            .api()
            .get::<Impersonations>("impersonations", token, false);
        given.own = own.await.map_err(ApiError::shown)?.impersonations;
    }
    if oversees(&inside.me.me) {
        let all = rp
            .api()
            .get::<Impersonations>("impersonations/all", token, false);
        given.all = all.await.map_err(ApiError::shown)?.impersonations;
    }
    Ok(given)
}

async fn show(
    rp: &RelyingParty,
    inside: Inside,
    form: ActingForm,
    notice: Option<ActingNotice>,
) -> Response {
    let now = rp.app().env.now();
    let (given, refusal) = match given(rp, &inside).await {
        Ok(given) => (given, None),
        Err(refusal) => (Given::default(), Some(refusal)),
    };
    let rows = rows(rp, given, now).await;
    let (over, open): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|row| matches!(row.standing, ActingStanding::Over { .. }));
    let (active, waiting) = open
        .into_iter()
        .partition(|row| matches!(row.standing, ActingStanding::Active { .. }));
    let shown = ActingPage {
        form: is_support(&inside.me.me).then_some(form),
        oversees: oversees(&inside.me.me),
        around: inside.around,
        now,
        active,
        waiting,
        over,
        notice,
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

/// One row each, newest first; of who oversees and asks himself his own are his own, with the
/// trail.
async fn rows(rp: &RelyingParty, given: Given, now: OffsetDateTime) -> Vec<ActingRow> {
    let Given { own, all } = given;
    let clinics = own.iter().chain(&all).map(|grant| grant.clinic).collect();
    let names = names_of(rp, clinics).await;
    let mut trails: BTreeMap<Uuid, Vec<SupportOpened>> =
        all.iter().map(|grant| (grant.id, opened(grant))).collect();
    let is_own = |id: &Uuid| own.iter().any(|grant| grant.id == *id);
    let others = all.into_iter().filter(|grant| !is_own(&grant.id));
    let mut grants: Vec<_> = others.map(|grant| (grant, false)).collect();
    grants.extend(own.into_iter().map(|grant| (grant, true)));
    grants.sort_by_key(|(grant, _)| std::cmp::Reverse(grant.requested_at));
    let issuer = rp.app().issuer();
    grants
        .into_iter()
        .map(|(grant, is_own)| {
            let standing = standing(&grant, now);
            let is_active = matches!(standing, ActingStanding::Active { .. });
            ActingRow {
                standing,
                opened: trails.remove(&grant.id),
                enter_href: (is_own && is_active)
                    .then(|| format!("{issuer}/impersonation/{}/enter", grant.id)),
                is_own,
                id: grant.id.to_string(),
                clinic: names.get(&grant.clinic).cloned().unwrap_or_default(),
                subject: grant.subject.to_string(),
                actor: grant.actor_name,
                reason: grant.reason,
                ticket: grant.ticket,
                may: match grant.preset.as_str() {
                    "read-only" => "To look, and change nothing.",
                    "assist" => "To look, and change what support may change.",
                    _ => "To find a fault, and see no records.",
                },
                minutes: grant.minutes,
                requested_at: grant.requested_at,
            }
        })
        .collect()
}

fn opened(grant: &Impersonation) -> Vec<SupportOpened> {
    let opened = grant.opened.iter();
    opened
        .map(|one| SupportOpened {
            what: format!("{} {}", one.method, one.route),
            times: one.times,
            last_at: one.last_at,
        })
        .collect()
}

/// How far it is at this moment: what ran out is over, whether it was written down yet or not.
fn standing(grant: &Impersonation, now: OffsetDateTime) -> ActingStanding {
    let over = |at, cause: Option<&str>| ActingStanding::Over {
        at,
        was_active: grant.started_at.is_some(),
        why: why(&grant.state, cause),
    };
    match (grant.ended_at, grant.ends_at) {
        (Some(at), _) => over(at, grant.end_cause.as_deref()),
        (None, Some(ends_at)) if ends_at <= now => over(ends_at, Some("time")),
        (None, Some(ends_at)) => ActingStanding::Active { ends_at },
        (None, None) if grant.start_by <= now => over(grant.start_by, Some("unanswered")),
        (None, None) if grant.state == "approved" => ActingStanding::Allowed { by: grant.start_by },
        (None, None) => ActingStanding::Asked { by: grant.start_by },
    }
}

fn why(state: &str, cause: Option<&str>) -> &'static str {
    match (state, cause.unwrap_or_default()) {
        ("refused", "by_subject") => "the person said no",
        ("refused", _) => "the clinic said no",
        (_, "by_subject") => "the person ended it",
        (_, "by_clinic") => "the clinic ended it",
        (_, "by_actor") => "support ended it",
        (_, "by_operator") => "the platform ended it",
        (_, "time") => "its time was up",
        (_, "unanswered") => "nobody began it in time",
        (_, "actor_signed_out") => "support signed out",
        (_, "clinic_suspended") => "the clinic was closed",
        (_, "policy_changed") => "the clinic no longer allows it",
        _ => "somebody\u{2019}s access changed",
    }
}

#[derive(Deserialize)]
pub(super) struct AskFields {
    csrf: String,
    clinic: String,
    subject: String,
    reason: String,
    ticket: String,
    preset: String,
    minutes: String,
}

/// `POST`: support asks. What can't be taken is shown again as it was typed.
pub(super) async fn request(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    Form(fields): Form<AskFields>,
) -> Response {
    if !browser.owns(&rp, &fields.csrf) {
        return AppError::Forged.respond(&rp, &site, &id);
    }
    let inside = match enter(&rp, &site, &browser, &id, &headers).await {
        Ok(inside) => *inside,
        Err(answer) => return answer,
    };
    let form = ActingForm {
        clinic: fields.clinic,
        subject: fields.subject,
        reason: fields.reason,
        ticket: fields.ticket,
        preset: fields.preset,
        minutes: fields.minutes,
    };
    match ask(&rp, &inside.session.tokens.access_token, &form).await {
        ActingNotice::Asked => back(ASKED),
        problem => show(&rp, inside, form, Some(problem)).await,
    }
}

async fn ask(rp: &RelyingParty, token: &str, form: &ActingForm) -> ActingNotice {
    let Some(clinic) = clinic_of(rp, &form.clinic).await else {
        return ActingNotice::NoClinic;
    };
    let subject = form.subject.trim().parse::<Uuid>();
    let (Ok(subject), Ok(minutes)) = (subject, form.minutes.trim().parse::<i64>()) else {
        return ActingNotice::Unfit;
    };
    // A browser sends a break of lines for each; a reason is one.
    let reason = form.reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let body = json!({
        "clinic": clinic.id,
        "subject": subject,
        "reason": reason,
        "ticket": form.ticket.trim(),
        "preset": form.preset,
        "minutes": minutes,
    });
    match rp.api().post("impersonations", token, &body).await {
        Ok(()) => ActingNotice::Asked,
        Err(refused) => match refused.shown().status {
            400 => ActingNotice::Unfit,
            403 | 404 => ActingNotice::Refused,
            _ => ActingNotice::NotDone,
        },
    }
}

#[derive(Deserialize)]
pub(super) struct OfGrant {
    csrf: String,
    grant: Uuid,
    #[serde(default, rename = "as")]
    side: String,
}

/// `POST /support/start`: he confirms that it is he, and the minutes begin.
pub(super) async fn start(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    Form(fields): Form<OfGrant>,
) -> Response {
    if !browser.owns(&rp, &fields.csrf) {
        return AppError::Forged.respond(&rp, &site, &id);
    }
    let inside = match enter(&rp, &site, &browser, &id, &headers).await {
        Ok(inside) => inside,
        Err(answer) => return answer,
    };
    let deed = Deed::Start {
        grant: fields.grant,
    };
    let taken = deed::take(&rp, &site, &browser, &inside.session, &deed).await;
    taken.unwrap_or_else(|error| error.respond(&rp, &site, &id))
}

/// `POST /support/stop`: by who acts, or by who oversees.
pub(super) async fn stop(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    Form(fields): Form<OfGrant>,
) -> Response {
    let act = if fields.side == "own" { "end" } else { "stop" };
    let path = format!("impersonations/{}/{act}", fields.grant);
    let asked = (path.as_str(), ENDED);
    post(&rp, (&site, &browser, &id, &headers), &fields.csrf, asked).await
}

#[derive(Deserialize)]
pub(super) struct OfAll {
    csrf: String,
}

/// `POST /support/stop-all`.
pub(super) async fn stop_all(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    Form(fields): Form<OfAll>,
) -> Response {
    let asked = ("impersonations/stop", ALL_ENDED);
    post(&rp, (&site, &browser, &id, &headers), &fields.csrf, asked).await
}

type Around<'a> = (&'a Site, &'a Browser, &'a RequestId, &'a HeaderMap);

/// Posts to a path of the API, and goes back with a word.
async fn post(
    rp: &RelyingParty,
    (site, browser, id, headers): Around<'_>,
    csrf: &str,
    (path, done): (&str, &str),
) -> Response {
    if !browser.owns(rp, csrf) {
        return AppError::Forged.respond(rp, site, id);
    }
    let inside = match enter(rp, site, browser, id, headers).await {
        Ok(inside) => inside,
        Err(answer) => return answer,
    };
    let token = &inside.session.tokens.access_token;
    match rp.api().post(path, token, &json!({})).await {
        Ok(()) => back(done),
        Err(_) => back(NOT_DONE),
    }
}

fn back(done: &str) -> Response {
    Redirect::to(&format!("{}?done={done}", paths::PLATFORM_SUPPORT)).into_response()
}
