//! `/emergency`: a clinician opens a record; `/emergencies`: the clinic reviews.

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::deed::{Came, Deed};
use super::door::{Answer, Asked, Door, Sent};
use super::outcome::AppError;
use super::surroundings::Inside;
use crate::apps::api::{ApiError, Visits, told_or_refused};
use crate::apps::care::{EmergencyAccess, EmergencyAccesses, FoundPatients};
use crate::apps::model::Kind;
use crate::apps::words;
use crate::pages::{
    DeedNotice, EmergenciesPage, EmergencyPage, RecordPage, SoughtPatients, clock_time, paths,
};

/// Where the API opens one.
const ACCESSES: &str = "emergency-accesses";
/// What the caller has opened.
const OWN: &str = "emergency-accesses?as=clinician";

/// `GET /emergency`: what he has opened, and the form that looks for a patient.
pub(super) async fn show(door: Door, Asked(came): Asked<Came>) -> Answer {
    let inside = door.enter().await?;
    Ok(shown(&door, *inside, came.notice(), None).await)
}

#[derive(Debug, Deserialize)]
pub(super) struct Seeking {
    name: String,
}

/// `POST /emergency/patients`: whom he may mean. A name is a patient's, so it stands in no address.
pub(super) async fn seek(door: Door, Sent(seeking): Sent<Seeking>) -> Answer {
    let inside = door.enter().await?;
    let body = json!({ "name": seeking.name });
    let path = "emergency-accesses/patients";
    let asking = door.rp.api().ask_by_post(path, inside.token(), &body);
    let found = match asking.await.map_err(ApiError::shown) {
        Ok(found) => found,
        // Too short or too long a name: nobody has it.
        Err(refused) if refused.status == 400 => FoundPatients::default(),
        Err(refused) => return Err(inside.around.refusal(&door.rp, refused)),
    };
    let patients = found.patients.into_iter();
    let sought = SoughtPatients {
        name: seeking.name,
        found: patients.map(|person| (person.id, person.name)).collect(),
    };
    Ok(shown(&door, *inside, None, Some(sought)).await)
}

async fn shown(
    door: &Door,
    inside: Inside,
    notice: Option<DeedNotice>,
    sought: Option<SoughtPatients>,
) -> Response {
    let api = door.rp.api();
    let listed = api.get::<EmergencyAccesses>(OWN, inside.token(), false);
    let (listed, refusal) = told_or_refused(listed.await);
    let draft = inside.session.draft.as_deref().and_then(Deed::parse);
    let unconfirmed = draft.filter(|deed| deed.path == ACCESSES);
    let typed = |field| {
        let typed = unconfirmed.as_ref().and_then(|deed| deed.typed(field));
        typed.unwrap_or_default().to_owned()
    };
    let open = listed.accesses.into_iter();
    door.show(&EmergencyPage {
        around: inside.around,
        notice,
        open: open.map(words::open_access).collect(),
        sought,
        reason: typed("reason"),
        why: typed("why"),
        refusal,
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct NewAccess {
    patient: String,
    reason: String,
    why: String,
}

/// `POST /emergency`: opens a record.
pub(super) async fn open_record(door: Door, Sent(new): Sent<NewAccess>) -> Answer {
    let deed = Deed {
        path: ACCESSES.to_owned(),
        body: json!({ "patient": new.patient, "reason": new.reason, "why": new.why }),
        back: paths::APP_EMERGENCY.to_owned(),
    };
    deed.attempt(&door).await
}

/// Which one.
#[derive(Debug, Deserialize)]
pub(super) struct OfAccess {
    id: Uuid,
}

/// `POST /emergency/close`: he needs it no more.
pub(super) async fn close(door: Door, Sent(OfAccess { id }): Sent<OfAccess>) -> Answer {
    let deed = Deed {
        path: format!("{ACCESSES}/{id}/close"),
        body: json!({}),
        back: paths::APP_EMERGENCY.to_owned(),
    };
    deed.attempt(&door).await
}

/// `GET /emergency/visits`: the visits of whose record he has opened.
pub(super) async fn visits(door: Door, Asked(OfAccess { id }): Asked<OfAccess>) -> Answer {
    let inside = door.enter().await?;
    let (api, token) = (door.rp.api(), inside.token());
    let listed = api.get::<EmergencyAccesses>(OWN, token, false).await;
    let is_asked = |one: &EmergencyAccess| one.id == id;
    let access = match listed {
        Ok(listed) => listed.accesses.into_iter().find(is_asked),
        Err(refused) => return Err(inside.around.refusal(&door.rp, refused.shown())),
    };
    // Over, or none of his.
    let access = access.ok_or_else(|| door.refuse(AppError::NotFound))?;
    let path = format!("visits?as=emergency&patient={}", access.patient.id);
    let seen = api.get::<Visits>(&path, token, true).await;
    let (seen, refusal) = told_or_refused(seen);
    Ok(door.show(&RecordPage {
        around: inside.around,
        banner: format!(
            "You are looking at {}'s record in an emergency, until {}. She is told, and so is who \
             reviews it.",
            access.patient.name,
            clock_time(access.ends_at())
        ),
        back_href: paths::APP_EMERGENCY,
        back: "Back to the records you opened",
        visits: words::visits(seen, Kind::Patient),
        refusal,
    }))
}

/// `GET /emergencies`: what waits for a review.
pub(super) async fn queue(door: Door, Asked(came): Asked<Came>) -> Answer {
    let inside = door.enter().await?;
    let path = "emergency-accesses?as=reviewer";
    let api = door.rp.api();
    let listed = api.get::<EmergencyAccesses>(path, inside.token(), true);
    let (listed, refusal) = told_or_refused(listed.await);
    let now = door.rp.app().env.now();
    let waiting = listed.accesses.into_iter();
    Ok(door.show(&EmergenciesPage {
        around: inside.around,
        notice: came.notice(),
        waiting: waiting.map(|one| words::waiting_access(one, now)).collect(),
        refusal,
    }))
}

#[derive(Debug, Deserialize)]
pub(super) struct Review {
    id: Uuid,
    finding: String,
    #[serde(default)]
    note: String,
}

/// `POST /emergencies`: signs one off.
pub(super) async fn review(door: Door, Sent(review): Sent<Review>) -> Answer {
    let mut body = json!({ "finding": review.finding });
    if !review.note.trim().is_empty() {
        body["note"] = json!(review.note);
    }
    let deed = Deed {
        path: format!("{ACCESSES}/{}/review", review.id),
        body,
        back: paths::APP_EMERGENCIES.to_owned(),
    };
    deed.attempt(&door).await
}
