//! `/support`: who of support acts for whom, and what anybody of the platform does about it.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{clinic_of, is_support, names_of, oversees};
use crate::apps::api::ApiError;
use crate::apps::routes::deed::Deed;
use crate::apps::routes::door::{Answer, Asked, Door, NoFields, Sent};
use crate::apps::routes::surroundings::Inside;
use crate::apps::staff::{Impersonation, Impersonations};
use crate::apps::{RelyingParty, grants};
use crate::pages::{
    ActingForm, ActingNotice, ActingPage, ActingRow, ActingStanding, DeedNotice, Refusal,
    SupportOpened,
};

/// Where a deed leads back to: `?of=` says which it was.
const ASKED: &str = "/support?of=ask";
const STARTED: &str = "/support?of=start";
const ENDED: &str = "/support?of=end";
const ALL_ENDED: &str = "/support?of=all";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActingQuery {
    of: Option<String>,
    done: Option<String>,
}

impl ActingQuery {
    fn notice(&self) -> Option<ActingNotice> {
        let came_to = DeedNotice::parse(self.done.as_deref()?)?;
        Some(match (self.of.as_deref()?, came_to) {
            ("ask", DeedNotice::Done) => ActingNotice::Asked,
            ("start", DeedNotice::Done) => ActingNotice::Started,
            ("end", DeedNotice::Done) => ActingNotice::Ended,
            ("all", DeedNotice::Done) => ActingNotice::AllEnded,
            ("start", DeedNotice::NotHers) => ActingNotice::Refused,
            (_, came_to) => ActingNotice::Deed(came_to),
        })
    }
}

/// `GET`.
pub(super) async fn list(door: Door, Asked(query): Asked<ActingQuery>) -> Answer {
    let inside = *door.enter().await?;
    Ok(show(&door, inside, ActingForm::default(), query.notice()).await)
}

/// The grants that he is shown: his own, and of all clinics if he oversees.
#[derive(Default)]
struct Given {
    own: Vec<Impersonation>,
    all: Vec<Impersonation>,
}

async fn given(rp: &RelyingParty, inside: &Inside) -> Result<Given, Refusal> {
    let token = inside.token();
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
    door: &Door,
    inside: Inside,
    form: ActingForm,
    notice: Option<ActingNotice>,
) -> Response {
    let rp = &door.rp;
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
    door.show(&ActingPage {
        form: is_support(&inside.me.me).then_some(form),
        oversees: oversees(&inside.me.me),
        around: inside.around,
        now,
        active,
        waiting,
        over,
        notice,
        refusal,
    })
}

/// One row each, newest first; of who oversees and asks himself his own are his own, with the
/// trail.
async fn rows(rp: &RelyingParty, given: Given, now: OffsetDateTime) -> Vec<ActingRow> {
    let Given { own, all } = given;
    let clinics = own.iter().chain(&all).map(|grant| grant.clinic).collect();
    let names = names_of(rp, clinics).await;
    let mut trails: BTreeMap<Uuid, Vec<SupportOpened>> = all
        .iter()
        .map(|grant| (grant.id, grants::opened(grant)))
        .collect();
    let is_own = |id: &Uuid| own.iter().any(|grant| grant.id == *id);
    let others = all.into_iter().filter(|grant| !is_own(&grant.id));
    let mut grants: Vec<_> = others.map(|grant| (grant, false)).collect();
    grants.extend(own.into_iter().map(|grant| (grant, true)));
    grants.sort_by_key(|(grant, _)| std::cmp::Reverse(grant.requested_at));
    let issuer = rp.app().issuer();
    grants
        .into_iter()
        .map(|(grant, is_own)| {
            let clinic = names.get(&grant.clinic).cloned().unwrap_or_default();
            let id = grant.id;
            let mut row = grants::row(grant, now);
            row.clinic = clinic;
            row.opened = trails.remove(&id);
            row.is_own = is_own;
            let may_enter = is_own && row.is_active();
            row.enter_href = may_enter.then(|| format!("{issuer}/impersonation/{id}/enter"));
            row
        })
        .collect()
}

#[derive(Debug, Deserialize)]
pub(super) struct AskFields {
    clinic: String,
    subject: String,
    reason: String,
    ticket: String,
    preset: String,
    minutes: String,
}

/// `POST`: support asks. What can't be taken is shown again as it was typed.
pub(super) async fn request(door: Door, Sent(fields): Sent<AskFields>) -> Answer {
    let inside = *door.enter().await?;
    let form = ActingForm {
        clinic: fields.clinic,
        subject: fields.subject,
        reason: fields.reason,
        ticket: fields.ticket,
        preset: fields.preset,
        minutes: fields.minutes,
    };
    let problem = match ask(&door.rp, &form).await {
        Err(problem) => problem,
        Ok(deed) => {
            let api = door.rp.api();
            match api.post(&deed.path, inside.token(), &deed.body).await {
                Ok(()) => return Ok(deed.came_to(DeedNotice::Done)),
                Err(refused) => match DeedNotice::of_status(refused.shown().status) {
                    DeedNotice::Unfit => ActingNotice::Unfit,
                    DeedNotice::NotHers => ActingNotice::Refused,
                    came_to => ActingNotice::Deed(came_to),
                },
            }
        }
    };
    Ok(show(&door, inside, form, Some(problem)).await)
}

/// What is asked of the API, or what is wrong with the form.
async fn ask(rp: &RelyingParty, form: &ActingForm) -> Result<Deed, ActingNotice> {
    let clinic = clinic_of(rp, &form.clinic).await;
    let clinic = clinic.ok_or(ActingNotice::NoClinic)?;
    let subject = form.subject.trim().parse::<Uuid>();
    let (Ok(subject), Ok(minutes)) = (subject, form.minutes.trim().parse::<i64>()) else {
        return Err(ActingNotice::Unfit);
    };
    // A browser sends a break of lines for each; a reason is one.
    let reason = form.reason.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Deed {
        path: "impersonations".to_owned(),
        body: json!({
            "clinic": clinic.id,
            "subject": subject,
            "reason": reason,
            "ticket": form.ticket.trim(),
            "preset": form.preset,
            "minutes": minutes,
        }),
        back: ASKED.to_owned(),
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct OfGrant {
    grant: Uuid,
    #[serde(default, rename = "as")]
    side: String,
}

/// `POST /support/start`: he confirms that it is he, and the minutes begin.
pub(super) async fn start(door: Door, Sent(of): Sent<OfGrant>) -> Answer {
    let path = format!("impersonations/{}/start", of.grant);
    attempt(&door, path, STARTED).await
}

/// `POST /support/stop`: by who acts, or by who oversees.
pub(super) async fn stop(door: Door, Sent(of): Sent<OfGrant>) -> Answer {
    let act = if of.side == "own" { "end" } else { "stop" };
    attempt(&door, format!("impersonations/{}/{act}", of.grant), ENDED).await
}

/// `POST /support/stop-all`.
pub(super) async fn stop_all(door: Door, Sent(NoFields {}): Sent<NoFields>) -> Answer {
    attempt(&door, "impersonations/stop".to_owned(), ALL_ENDED).await
}

async fn attempt(door: &Door, path: String, back: &str) -> Answer {
    let deed = Deed {
        path,
        body: json!({}),
        back: back.to_owned(),
    };
    deed.attempt(door).await
}
