//! `/endings`: everything of a clinic ended at once, or a key withdrawn; and the proof of it.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use uuid::Uuid;

use super::deed::{self, DONE, Deed};
use super::{clinic_of, names_of};
use crate::apps::RelyingParty;
use crate::apps::record::LogEvents;
use crate::apps::routes::browser::Browser;
use crate::apps::routes::outcome::AppError;
use crate::apps::routes::surroundings::{Inside, enter};
use crate::apps::sites::Site;
use crate::apps::staff::{Ending, Endings, SigningKey, SigningKeys};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{EndingNotice, EndingProof, EndingRow, EndingsPage, KeyRow, paths};

/// Values of `?done=` beside those of a deed.
const UNSURE: &str = "unsure";
const NO_CLINIC: &str = "no-clinic";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndingsQuery {
    done: Option<String>,
}

fn notice(done: Option<&str>) -> Option<EndingNotice> {
    match done? {
        UNSURE => Some(EndingNotice::Unsure),
        NO_CLINIC => Some(EndingNotice::NoClinic),
        other => {
            let (what, came_to) = other.split_once('-')?;
            match (what, came_to == DONE) {
                ("end", true) => Some(EndingNotice::Ordered),
                ("key", true) => Some(EndingNotice::Withdrawn),
                ("end" | "key", false) => Some(EndingNotice::NotDone),
                _ => None,
            }
        }
    }
}

/// `GET`.
pub(super) async fn list(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    query: Result<Query<EndingsQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(query)) = query else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let Inside {
        around, session, ..
    } = match enter(&rp, &site, &browser, &id, &headers).await {
        Ok(inside) => *inside,
        Err(answer) => return answer,
    };
    let token = &session.tokens.access_token;
    let endings = rp.api().get::<Endings>("session-endings", token, false);
    let keys = rp.api().get::<SigningKeys>("signing-keys", token, false);
    let (endings, keys) = tokio::join!(endings, keys);
    let (given, keys, refusal) = match (endings, keys) {
        (Ok(endings), Ok(keys)) => (endings, keys, None),
        (Err(refused), _) | (_, Err(refused)) => (
            Endings::default(),
            SigningKeys::default(),
            Some(refused.shown()),
        ),
    };
    let clinics = given.endings.iter().map(|ending| ending.clinic).collect();
    let names = names_of(&rp, clinics).await;
    let places = if given.endings.is_empty() {
        BTreeMap::new()
    } else {
        places(&rp, token).await
    };
    let endings = given.endings.into_iter();
    let shown = EndingsPage {
        around,
        endings: endings.map(|one| row(one, &names, &places)).collect(),
        keys: keys.keys.into_iter().map(key).collect(),
        notice: notice(query.done.as_deref()),
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

/// Where the newest orders stand on the platform's record: that they are complete, or else that
/// they were given.
async fn places(rp: &RelyingParty, token: &str) -> BTreeMap<String, u64> {
    let path = "audit/events?type=tenant.*&most=100";
    let events = rp.api().get::<LogEvents>(path, token, false).await;
    let mut places = BTreeMap::new();
    for event in events.map(|events| events.entries).unwrap_or_default() {
        if let Some(order) = event.detail.get("order").and_then(|order| order.as_str()) {
            // The newest comes first.
            places.entry(order.to_owned()).or_insert(event.index);
        }
    }
    places
}

fn row(
    ending: Ending,
    names: &BTreeMap<Uuid, String>,
    places: &BTreeMap<String, u64>,
) -> EndingRow {
    let id = ending.id.to_string();
    EndingRow {
        clinic: names.get(&ending.clinic).cloned().unwrap_or_default(),
        why: match ending.reason.as_str() {
            "suspected_breach" => "Somebody else may have been in",
            "stolen_credentials" => "Passwords, devices or tokens are in others\u{2019} hands",
            "clinic_request" => "The clinic asked for it",
            "drill" => "An exercise",
            _ => "Ordered",
        },
        until: ending.until,
        proof: ending.completion.map(|completion| EndingProof {
            at: completion.at,
            sessions: completion.sessions,
            families: completion.families,
            codes: completion.codes,
            left: completion.left,
        }),
        index: places.get(&id).copied(),
        id,
    }
}

fn key(key: SigningKey) -> KeyRow {
    KeyRow {
        kid: key.kid,
        alg: key.alg,
        standing: match key.standing.as_str() {
            "next" => "Signs next",
            "current" => "Signs",
            _ => "Signs no more; what it signed is good still",
        },
        since: key.since,
    }
}

#[derive(Deserialize)]
pub(super) struct EndFields {
    csrf: String,
    clinic: String,
    again: String,
    reason: String,
}

/// `POST /endings/sessions`.
pub(super) async fn end_sessions(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    Form(fields): Form<EndFields>,
) -> Response {
    if !browser.owns(&rp, &fields.csrf) {
        return AppError::Forged.respond(&rp, &site, &id);
    }
    if fields.clinic.trim() != fields.again.trim() {
        return back(UNSURE);
    }
    let Some(clinic) = clinic_of(&rp, &fields.clinic).await else {
        return back(NO_CLINIC);
    };
    let deed = Deed::EndSessions {
        clinic: clinic.id,
        reason: fields.reason,
    };
    order(&rp, &site, &browser, &id, &headers, deed).await
}

#[derive(Deserialize)]
pub(super) struct KeyFields {
    csrf: String,
    kid: String,
    #[serde(default)]
    sure: String,
}

/// `POST /endings/key`.
pub(super) async fn withdraw_key(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    Form(fields): Form<KeyFields>,
) -> Response {
    if !browser.owns(&rp, &fields.csrf) {
        return AppError::Forged.respond(&rp, &site, &id);
    }
    // As we name keys: nothing that would be another path of the API.
    let is_name = |kid: &str| {
        (1..=64).contains(&kid.len())
            && kid
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if fields.sure != "yes" || !is_name(&fields.kid) {
        return back(UNSURE);
    }
    let deed = Deed::Withdraw { kid: fields.kid };
    order(&rp, &site, &browser, &id, &headers, deed).await
}

async fn order(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
    id: &RequestId,
    headers: &HeaderMap,
    deed: Deed,
) -> Response {
    let inside = match enter(rp, site, browser, id, headers).await {
        Ok(inside) => inside,
        Err(answer) => return answer,
    };
    let taken = deed::take(rp, site, browser, &inside.session, &deed).await;
    taken.unwrap_or_else(|error| error.respond(rp, site, id))
}

fn back(done: &str) -> Response {
    Redirect::to(&format!("{}?done={done}", paths::PLATFORM_ENDINGS)).into_response()
}
