//! `/endings`: everything of a clinic ended at once, or a key withdrawn; and the proof of it.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{clinic_of, names_of};
use crate::apps::RelyingParty;
use crate::apps::api::told_or_refused;
use crate::apps::record::LogEvents;
use crate::apps::routes::deed::Deed;
use crate::apps::routes::door::{Answer, Asked, Door, Sent};
use crate::apps::staff::{Ending, Endings, SigningKey, SigningKeys};
use crate::pages::{DeedNotice, EndingNotice, EndingProof, EndingRow, EndingsPage, KeyRow};

/// Where a deed leads back to: `?of=` says which it was.
const ORDERED: &str = "/endings?of=sessions";
const WITHDRAWN: &str = "/endings?of=key";
/// The same for what was never tried.
const UNSURE: &str = "/endings?of=unsure";
const NO_CLINIC: &str = "/endings?of=no-clinic";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndingsQuery {
    of: Option<String>,
    done: Option<String>,
}

impl EndingsQuery {
    fn notice(&self) -> Option<EndingNotice> {
        let came_to = self.done.as_deref().and_then(DeedNotice::parse);
        Some(match (self.of.as_deref()?, came_to) {
            ("unsure", None) => EndingNotice::Unsure,
            ("no-clinic", None) => EndingNotice::NoClinic,
            ("sessions", Some(DeedNotice::Done)) => EndingNotice::Ordered,
            ("key", Some(DeedNotice::Done)) => EndingNotice::Withdrawn,
            (_, came_to) => EndingNotice::Deed(came_to?),
        })
    }
}

/// `GET`.
pub(super) async fn list(door: Door, Asked(query): Asked<EndingsQuery>) -> Answer {
    let inside = door.enter().await?;
    let (rp, token) = (&door.rp, inside.token());
    let endings = rp.api().get::<Endings>("session-endings", token, false);
    let keys = rp.api().get::<SigningKeys>("signing-keys", token, false);
    let (endings, keys) = tokio::join!(endings, keys);
    let (given, no_endings) = told_or_refused(endings);
    let (keys, no_keys) = told_or_refused(keys);
    let clinics = given.endings.iter().map(|ending| ending.clinic).collect();
    let names = names_of(rp, clinics).await;
    let places = if given.endings.is_empty() {
        BTreeMap::new()
    } else {
        places(rp, token).await
    };
    let endings = given.endings.into_iter();
    Ok(door.show(&EndingsPage {
        around: inside.around,
        endings: endings.map(|one| row(one, &names, &places)).collect(),
        keys: keys.keys.into_iter().map(key).collect(),
        notice: query.notice(),
        refusal: no_endings.or(no_keys),
    }))
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
    clinic: String,
    again: String,
    reason: String,
}

/// `POST /endings/sessions`.
pub(super) async fn end_sessions(door: Door, Sent(fields): Sent<EndFields>) -> Answer {
    if fields.clinic.trim() != fields.again.trim() {
        return Ok(back(UNSURE));
    }
    let Some(clinic) = clinic_of(&door.rp, &fields.clinic).await else {
        return Ok(back(NO_CLINIC));
    };
    let deed = Deed {
        path: "session-endings".to_owned(),
        body: json!({ "clinic": clinic.id, "reason": fields.reason }),
        back: ORDERED.to_owned(),
    };
    deed.attempt(&door).await
}

#[derive(Debug, Deserialize)]
pub(super) struct KeyFields {
    kid: String,
    #[serde(default)]
    sure: String,
}

/// `POST /endings/key`.
pub(super) async fn withdraw_key(door: Door, Sent(fields): Sent<KeyFields>) -> Answer {
    // As we name keys: nothing that would be another path of the API.
    let is_name = |kid: &str| {
        (1..=64).contains(&kid.len())
            && kid
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if fields.sure != "yes" || !is_name(&fields.kid) {
        return Ok(back(UNSURE));
    }
    let deed = Deed {
        path: format!("signing-keys/{}/withdraw", fields.kid),
        body: json!({}),
        back: WITHDRAWN.to_owned(),
    };
    deed.attempt(&door).await
}

fn back(to: &str) -> Response {
    Redirect::to(to).into_response()
}
