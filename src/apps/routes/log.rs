//! `GET /log`: the clinic's log or the platform's, as the API gives it to who may read it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded::Serializer;

use super::browser::Browser;
use super::outcome::AppError;
use super::session::PATIENCE_OF_A_POLL;
use super::surroundings::enter;
use crate::apps::api::{ApiError, Members};
use crate::apps::model::Kind;
use crate::apps::proving::{self, Proven};
use crate::apps::record::{LogEvents, LogHeld};
use crate::apps::sites::Site;
use crate::apps::standing::{Standing, standing};
use crate::apps::{RelyingParty, words};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{LogFilter, LogPage, LogVerdict, Surroundings, paths};

/// Entries of a page.
const PAGE: &str = "50";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogQuery {
    person: String,
    #[serde(rename = "type")]
    event: String,
    actor: String,
    trace: String,
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
    fn path(&self) -> String {
        let mut address = self.encoded(self.before);
        address.append_pair("most", PAGE);
        format!("audit/events?{}", address.finish())
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
    fn repeated(&self, verdict: Option<&LogVerdict>) -> Vec<(&'static str, String)> {
        let proven = match verdict {
            Some(LogVerdict::Good(proof)) => proof.proven.clone(),
            _ => self.proven.clone(),
        };
        let mut fields = self.asked(self.before);
        if Proven::parse(&proven).is_some() {
            fields.push(("proven", proven));
        }
        fields
    }

    fn filter(self) -> LogFilter {
        LogFilter {
            person: self.person,
            event: self.event,
            actor: self.actor,
            trace: self.trace,
        }
    }
}

/// The handler.
pub(super) async fn log(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Response {
    let (Kind::Console | Kind::Platform, Ok(Query(query))) = (rp.kind(), query) else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let inside = match enter(&rp, &site, &browser, &id, &headers).await {
        Ok(inside) => *inside,
        Err(answer) => return answer,
    };
    let token = &inside.session.tokens.access_token;
    let path = query.path();
    let events = rp.api().get::<LogEvents>(&path, token, false);
    let held = rp.api().get::<LogHeld>("audit/standing", token, false);
    let (events, held, names) = tokio::join!(events, held, names(&rp, token));
    let verdict = match &events {
        Ok(events) if !query.verify.is_empty() => {
            let shown: Vec<u64> = events.entries.iter().map(|entry| entry.index).collect();
            let log = inside.session.tokens.clinic.id;
            let before = Proven::parse(&query.proven);
            Some(proving::check(&rp, token, (log, &shown), before).await)
        }
        _ => None,
    };
    let mut shown = shown((inside.around, rp.kind()), query, events, names, verdict);
    shown.standing = held.ok().as_ref().map(words::standing);
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

/// Who is a member, by name; the platform's console knows no names.
async fn names(rp: &RelyingParty, token: &str) -> BTreeMap<String, String> {
    if rp.kind() == Kind::Platform {
        return BTreeMap::new();
    }
    let members = rp.api().get::<Members>("members", token, false).await;
    members.map(words::names).unwrap_or_default()
}

/// `GET /log/news`: how many entries there are, for the script of a page that follows. To ask that
/// is neither a person's act nor a look at the log.
pub(super) async fn news(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
) -> Response {
    if !matches!(rp.kind(), Kind::Console | Kind::Platform) {
        return AppError::NotFound.respond(&rp, &site, &id);
    }
    let clinic = site.clinic.as_ref().map(|c| c.slug.as_str());
    let session = match standing(&rp, browser.session.as_ref(), clinic, PATIENCE_OF_A_POLL).await {
        Ok(Standing::Live(session)) => session,
        Ok(Standing::Nobody | Standing::Ended(_)) => {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        Err(error) => return AppError::from(error).status(&rp, &id).into_response(),
    };
    let token = &session.tokens.access_token;
    match rp
        .api()
        .get::<LogHeld>("audit/standing", token, false)
        .await
    {
        Ok(held) => Json(json!({ "size": held.size })).into_response(),
        Err(ApiError::Refused(_) | ApiError::StepUp(_)) => StatusCode::FORBIDDEN.into_response(),
        Err(ApiError::Failed(detail)) => AppError::Issuer(detail).status(&rp, &id).into_response(),
    }
}

fn shown(
    (around, app): (Surroundings, Kind),
    query: LogQuery,
    events: Result<LogEvents, ApiError>,
    names: BTreeMap<String, String>,
    verdict: Option<LogVerdict>,
) -> LogPage {
    let (events, refusal) = match events {
        Ok(events) => (Some(events), None),
        Err(refused) => (None, Some(refused.shown())),
    };
    let older_href = events
        .as_ref()
        .and_then(|events| events.next)
        .map(|next| query.older(next));
    let entries = events
        .map(|events| events.entries)
        .unwrap_or_default()
        .into_iter()
        .map(|event| words::entry(event, &names))
        .collect();
    let newest_href = query.newest();
    let is_newest = query.before.is_none();
    let repeated = query.repeated(verdict.as_ref());
    let mut people: Vec<_> = names.into_iter().collect();
    people.sort_by(|one, other| one.1.cmp(&other.1));
    LogPage {
        around,
        app,
        filter: query.filter(),
        people,
        entries,
        standing: None,
        older_href,
        newest_href,
        is_newest,
        repeated,
        verdict,
        refusal,
    }
}

#[cfg(test)]
mod tests {
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
            query.path(),
            "audit/events?type=visit.*&trace=a%26limit%3D9&before=7&most=50"
        );
        assert_eq!(
            query.older(3),
            "/log?type=visit.*&trace=a%26limit%3D9&before=3"
        );
    }
}
