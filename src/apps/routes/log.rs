//! `GET /log`: the clinic's log or the platform's, as the API gives it to who may read it.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::door::{Answer, Asked, Door, NoFields, Sent};
use super::outcome::AppError;
use super::platform;
use super::session::PATIENCE_OF_A_POLL;
use super::surroundings::Inside;
use crate::apps::api::{ApiError, Members};
use crate::apps::calls::Download;
use crate::apps::model::Kind;
use crate::apps::proving::{self, Leaf, Proven};
use crate::apps::record::{LogEvent, LogHeld, LogLines};
use crate::apps::standing::Standing;
use crate::apps::{RelyingParty, words};
use crate::audit::format::TreeHash;
use crate::http::pieces::{Cut, Pieces};
use crate::pages::{LogFilter, LogPage, LogVerdict, Refusal, paths};

/// Entries of a page.
const PAGE: &str = "50";
/// The field of [`LogQuery::proven`].
const PROVEN: &str = "proven";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogQuery {
    person: String,
    #[serde(rename = "type")]
    event: String,
    actor: String,
    trace: String,
    /// On the platform's record: the clinic that it is about, by its short name or its id.
    clinic: String,
    before: Option<u64>,
    /// Whether what is shown is to be checked.
    verify: String,
    /// What an earlier check came to.
    proven: String,
}

impl LogQuery {
    /// The fields that look for something.
    fn asked(&self, before: Option<u64>) -> Vec<(&'static str, String)> {
        let typed = [
            ("person", &self.person),
            ("type", &self.event),
            ("actor", &self.actor),
            ("trace", &self.trace),
            ("clinic", &self.clinic),
        ];
        let typed = typed.map(|(name, value)| (name, value.trim().to_owned()));
        let mut fields: Vec<_> = typed
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        fields.extend(before.map(|before| ("before", before.to_string())));
        fields
    }

    /// The same, encoded for an address.
    fn encoded(&self, before: Option<u64>) -> Serializer<'static, String> {
        let mut address = Serializer::new(String::new());
        address.extend_pairs(self.asked(before));
        address
    }

    /// Where the API gives it.
    ///
    /// - `clinic`: the one that is meant
    fn path(&self, clinic: Option<Uuid>) -> String {
        let mut address = Serializer::new(String::new());
        let asked = self.asked(self.before).into_iter();
        address.extend_pairs(asked.filter(|(name, _)| *name != "clinic"));
        if let Some(clinic) = clinic {
            address.append_pair("tenant", &clinic.to_string());
        }
        address.append_pair("most", PAGE);
        address.append_pair("as", "line");
        format!("audit/events?{}", address.finish())
    }

    /// The clinic that is looked for, if one is.
    ///
    /// # Errors
    /// None has that short name.
    async fn clinic(&self, rp: &RelyingParty) -> Result<Option<Uuid>, NoClinic> {
        let typed = self.clinic.trim();
        if typed.is_empty() || rp.kind() != Kind::Platform {
            return Ok(None);
        }
        if let Ok(id) = typed.parse() {
            return Ok(Some(id));
        }
        let clinic = platform::clinic_of(rp, typed).await;
        clinic.map(|clinic| Some(clinic.id)).ok_or(NoClinic)
    }

    /// The page of what is older than `before`.
    fn older(&self, before: u64) -> String {
        format!("{}?{}", paths::APP_LOG, self.encoded(Some(before)).finish())
    }

    /// The page of the newest.
    fn newest(&self) -> String {
        format!("{}?{}", paths::APP_LOG, self.encoded(None).finish())
    }

    /// What the form that checks repeats.
    fn repeated(&self) -> Vec<(&'static str, String)> {
        let mut fields = self.asked(self.before);
        if Proven::parse(&self.proven).is_some() {
            fields.push((PROVEN, self.proven.clone()));
        }
        fields
    }

    fn filter(self) -> LogFilter {
        LogFilter {
            person: self.person,
            event: self.event,
            actor: self.actor,
            trace: self.trace,
            clinic: self.clinic,
        }
    }
}

/// What was typed is no clinic's short name.
struct NoClinic;

/// What the API gave of it.
struct Given {
    events: Vec<LogEvent>,
    /// What each of them is in the log's tree.
    leaves: Vec<Leaf>,
    next: Option<u64>,
}

async fn given(rp: &RelyingParty, token: &str, path: &str) -> Result<Given, ApiError> {
    let LogLines { next, entries } = rp.api().get(path, token, false).await?;
    let read = entries.iter().map(|entry| {
        let event = entry.event()?;
        let leaf = (event.index, TreeHash::leaf(entry.line.as_bytes()));
        Some((event, leaf))
    });
    let read: Option<(Vec<_>, Vec<_>)> = read.collect();
    let (events, leaves) =
        read.ok_or_else(|| ApiError::Failed(format!("{path}: a line that is none")))?;
    Ok(Given {
        events,
        leaves,
        next,
    })
}

/// `GET /log`.
pub(super) async fn log(door: Door, Asked(query): Asked<LogQuery>) -> Answer {
    let (rp, inside) = (&door.rp, *door.enter().await?);
    let token = inside.token();
    let (clinic, is_unknown) = match query.clinic(rp).await {
        Ok(clinic) => (clinic, false),
        // No event is about it.
        Err(NoClinic) => (Some(Uuid::nil()), true),
    };
    let path = query.path(clinic);
    let held = rp.api().get::<LogHeld>("audit/standing", token, false);
    let (given, held, names) = tokio::join!(given(rp, token, &path), held, names(rp, token));
    let verdict = match &given {
        Ok(given) if !query.verify.is_empty() => {
            let log = inside.session.tokens.clinic.id;
            let before = Proven::parse(&query.proven);
            Some(proving::check(rp, token, (log, &given.leaves), before).await)
        }
        _ => None,
    };
    let mut shown = shown(
        &door,
        (inside, query),
        given.map_err(ApiError::shown),
        names,
    );
    shown.repeat(verdict);
    shown.standing = held.ok().as_ref().map(words::standing);
    shown.is_unknown_clinic = is_unknown;
    Ok(door.show(&shown))
}

/// Who is a member, by name; the platform's console knows no names.
pub(super) async fn names(rp: &RelyingParty, token: &str) -> BTreeMap<String, String> {
    if rp.kind() == Kind::Platform {
        return BTreeMap::new();
    }
    let members = rp.api().get::<Members>("members", token, false).await;
    members.map(words::names).unwrap_or_default()
}

/// `GET /log/news`: how many entries there are, for the script of a page that follows. To ask that
/// is neither a person's act nor a look at the log.
pub(super) async fn news(door: Door) -> Response {
    let session = match door.standing(PATIENCE_OF_A_POLL).await {
        Ok(Standing::Live(session)) => session,
        Ok(Standing::Nobody | Standing::Ended(_)) => {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        Err(error) => return status(&door, error),
    };
    let token = &session.tokens.access_token;
    let api = door.rp.api();
    match api.get::<LogHeld>("audit/standing", token, false).await {
        Ok(held) => Json(json!({ "size": held.size })).into_response(),
        Err(ApiError::Refused(_) | ApiError::StepUp(_)) => StatusCode::FORBIDDEN.into_response(),
        Err(ApiError::Failed(detail)) => status(&door, AppError::Issuer(detail)),
    }
}

fn status(door: &Door, error: impl Into<AppError>) -> Response {
    error.into().status(&door.rp, &door.id).into_response()
}

/// `POST /log/export`: all of it, to take along. The API writes down that she did.
pub(super) async fn export(door: Door, Sent(NoFields {}): Sent<NoFields>) -> Answer {
    let inside = door.enter().await?;
    let taking = door.rp.api().download("audit/export", inside.token());
    match taking.await {
        Ok(download) => Ok(handed_on(download)),
        Err(refused) => Err(inside.around.refusal(&door.rp, refused.shown())),
    }
}

/// As fast as the browser takes it, and never more of it in memory than a piece or two.
fn handed_on(mut download: Download) -> Response {
    let (pieces, body) = Pieces::begin();
    let mut answer = body.into_response();
    for name in [CONTENT_TYPE, CONTENT_DISPOSITION] {
        if let Some(value) = download.headers().get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    tokio::spawn(
        async move { while pieces.give(download.next().await.map_err(Cut::from)).await {} },
    );
    answer
}

fn shown(
    door: &Door,
    (inside, query): (Inside, LogQuery),
    given: Result<Given, Refusal>,
    names: BTreeMap<String, String>,
) -> LogPage {
    let (events, next, refusal) = match given {
        Ok(given) => (given.events, given.next, None),
        Err(refusal) => (Vec::new(), None, Some(refusal)),
    };
    let app = door.rp.kind();
    let entries = events.into_iter();
    let entries = entries.map(|event| words::entry(event, &names, app));
    let entries = entries.collect();
    let mut people: Vec<_> = names.into_iter().collect();
    people.sort_by(|one, other| one.1.cmp(&other.1));
    LogPage {
        around: inside.around,
        app,
        people,
        entries,
        standing: None,
        older_href: next.map(|next| query.older(next)),
        newest_href: query.newest(),
        is_newest: query.before.is_none(),
        is_unknown_clinic: false,
        repeated: query.repeated(),
        filter: query.filter(),
        verdict: None,
        refusal,
    }
}

impl LogPage {
    /// Shows what a check came to, from which the next one goes on.
    fn repeat(&mut self, verdict: Option<LogVerdict>) {
        if let Some(LogVerdict::Good(proof)) = &verdict {
            self.repeated.retain(|(name, _)| *name != PROVEN);
            self.repeated.push((PROVEN, proof.proven.clone()));
        }
        self.verdict = verdict;
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::LogQuery;

    #[test]
    fn what_is_looked_for_reaches_the_api_encoded_and_nothing_empty_does() {
        let query = LogQuery {
            event: " visit.* ".into(),
            trace: "a&limit=9".into(),
            before: Some(7),
            ..LogQuery::default()
        };
        assert_eq!(
            query.path(None),
            "audit/events?type=visit.*&trace=a%26limit%3D9&before=7&most=50&as=line"
        );
        assert_eq!(
            query.older(3),
            "/log?type=visit.*&trace=a%26limit%3D9&before=3"
        );
        let of_clinic = LogQuery {
            clinic: "juniper".into(),
            ..LogQuery::default()
        };
        assert_eq!(
            of_clinic.path(Some(Uuid::nil())),
            format!("audit/events?tenant={}&most=50&as=line", Uuid::nil()),
        );
        assert_eq!(of_clinic.newest(), "/log?clinic=juniper");
    }
}
