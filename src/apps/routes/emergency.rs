//! `/emergency`: a clinician opens a record; `/emergencies`: the clinic reviews.

use axum::Form;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::browser::Browser;
use super::deed::{self, Deed};
use super::outcome::AppError;
use super::surroundings::{Opened, open};
use crate::apps::api::{ApiError, Visits, told_or_refused};
use crate::apps::care::{EmergencyAccess, EmergencyAccesses, FoundPatients};
use crate::apps::model::Kind;
use crate::apps::sites::Site;
use crate::apps::{RelyingParty, words};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{DeedNotice, EmergenciesPage, EmergencyPage, RecordPage, clock_time, paths};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EmergencyQuery {
    name: Option<String>,
    done: Option<String>,
}

/// `GET /emergency`: what he has opened, and whom he looks for.
pub(super) async fn show(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    query: Result<Query<EmergencyQuery>, QueryRejection>,
) -> Response {
    let (Kind::Clinician, Ok(Query(query))) = (rp.kind(), query) else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let (around, token) = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(around, token) => (around, token),
        Opened::Answered(answer) => return answer,
    };
    let path = "emergency-accesses?as=clinician";
    let listed = rp.api().get::<EmergencyAccesses>(path, &token, false).await;
    let (listed, mut refusal) = told_or_refused(listed);
    let sought = query.name.filter(|name| !name.is_empty());
    let mut found = FoundPatients::default();
    if let (Some(name), None) = (&sought, &refusal) {
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let path = format!("emergency-accesses/patients?name={name}");
        match rp
            .api()
            .get(&path, &token, true)
            .await
            .map_err(ApiError::shown)
        {
            Ok(patients) => found = patients,
            // Too short or too long a name: nobody has it.
            Err(refused) if refused.status == 400 => {}
            Err(refused) => refusal = Some(refused),
        }
    }
    let patients = found.patients.into_iter();
    let shown = EmergencyPage {
        around: *around,
        notice: query.done.as_deref().and_then(DeedNotice::parse),
        open: listed
            .accesses
            .into_iter()
            .map(words::open_access)
            .collect(),
        sought,
        found: patients.map(|person| (person.id, person.name)).collect(),
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

#[derive(Deserialize)]
pub(super) struct NewAccess {
    csrf: String,
    patient: String,
    reason: String,
    why: String,
}

/// `POST /emergency`: opens a record.
pub(super) async fn open_record(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    Form(fields): Form<NewAccess>,
) -> Response {
    if rp.kind() != Kind::Clinician {
        return AppError::NotFound.respond(&rp, &site, &id);
    }
    let deed = Deed {
        path: "emergency-accesses".to_owned(),
        body: json!({
            "patient": fields.patient, "reason": fields.reason, "why": fields.why,
        }),
        back: paths::APP_EMERGENCY.to_owned(),
    };
    deed::attempt(&rp, (&site, &browser, &id), &fields.csrf, &deed).await
}

#[derive(Deserialize)]
pub(super) struct Closing {
    csrf: String,
    id: Uuid,
}

/// `POST /emergency/close`: he needs it no more.
pub(super) async fn close(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    Form(fields): Form<Closing>,
) -> Response {
    if rp.kind() != Kind::Clinician {
        return AppError::NotFound.respond(&rp, &site, &id);
    }
    let deed = Deed {
        path: format!("emergency-accesses/{}/close", fields.id),
        body: json!({}),
        back: paths::APP_EMERGENCY.to_owned(),
    };
    deed::attempt(&rp, (&site, &browser, &id), &fields.csrf, &deed).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordQuery {
    id: Uuid,
}

/// `GET /emergency/visits`: the visits of whose record he has opened.
pub(super) async fn visits(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    query: Result<Query<RecordQuery>, QueryRejection>,
) -> Response {
    let (Kind::Clinician, Ok(Query(query))) = (rp.kind(), query) else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let (around, token) = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(around, token) => (around, token),
        Opened::Answered(answer) => return answer,
    };
    let path = "emergency-accesses?as=clinician";
    let listed = rp.api().get::<EmergencyAccesses>(path, &token, false).await;
    let is_asked = |one: &EmergencyAccess| one.id == query.id;
    let access = match listed {
        Ok(listed) => listed.accesses.into_iter().find(is_asked),
        Err(refused) => return around.refusal(&rp, refused.shown()),
    };
    // Over, or none of his.
    let Some(access) = access else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let path = format!("visits?as=emergency&patient={}", access.patient.id);
    let seen = rp.api().get::<Visits>(&path, &token, true).await;
    let (seen, refusal) = match seen {
        Ok(visits) => (words::visits(visits, Kind::Patient), None),
        Err(refused) => (Vec::new(), Some(refused.shown())),
    };
    let shown = RecordPage {
        around: *around,
        banner: format!(
            "You are looking at {}'s record in an emergency, until {}. She is told, and so is who \
             reviews it.",
            access.patient.name,
            clock_time(access.ends_at())
        ),
        back_href: paths::APP_EMERGENCY,
        back: "Back to the records you opened",
        visits: seen,
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueueQuery {
    done: Option<String>,
}

/// `GET /emergencies`: what waits for a review.
pub(super) async fn queue(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    query: Result<Query<QueueQuery>, QueryRejection>,
) -> Response {
    let (Kind::Console, Ok(Query(query))) = (rp.kind(), query) else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let (around, token) = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(around, token) => (around, token),
        Opened::Answered(answer) => return answer,
    };
    let path = "emergency-accesses?as=reviewer";
    let listed = rp.api().get::<EmergencyAccesses>(path, &token, true).await;
    let (listed, refusal) = told_or_refused(listed);
    let now = rp.app().env.now();
    let waiting = listed.accesses.into_iter();
    let shown = EmergenciesPage {
        around: *around,
        notice: query.done.as_deref().and_then(DeedNotice::parse),
        waiting: waiting.map(|one| words::waiting_access(one, now)).collect(),
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

#[derive(Deserialize)]
pub(super) struct Review {
    csrf: String,
    id: Uuid,
    finding: String,
    #[serde(default)]
    note: String,
}

/// `POST /emergencies`: signs one off.
pub(super) async fn review(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    Form(fields): Form<Review>,
) -> Response {
    if rp.kind() != Kind::Console {
        return AppError::NotFound.respond(&rp, &site, &id);
    }
    let mut body = json!({ "finding": fields.finding });
    if !fields.note.trim().is_empty() {
        body["note"] = json!(fields.note);
    }
    let deed = Deed {
        path: format!("emergency-accesses/{}/review", fields.id),
        body,
        back: paths::APP_EMERGENCIES.to_owned(),
    };
    deed::attempt(&rp, (&site, &browser, &id), &fields.csrf, &deed).await
}
