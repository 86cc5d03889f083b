//! `GET /log`: the clinic's log, as the API gives it to who may read it.

use std::collections::BTreeMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::browser::Browser;
use super::outcome::AppError;
use super::surroundings::{Opened, open};
use crate::apps::api::{ApiError, Members};
use crate::apps::model::Kind;
use crate::apps::record::{LogEvents, LogHeld};
use crate::apps::sites::Site;
use crate::apps::{RelyingParty, words};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{LogFilter, LogPage, Surroundings, paths};

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
}

impl LogQuery {
    /// The fields that look for something, encoded for an address.
    fn encoded(&self, before: Option<u64>) -> Serializer<'static, String> {
        let mut address = Serializer::new(String::new());
        for (name, value) in [
            ("person", &self.person),
            ("type", &self.event),
            ("actor", &self.actor),
            ("trace", &self.trace),
        ] {
            let value = value.trim();
            if !value.is_empty() {
                address.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            address.append_pair("before", &before.to_string());
        }
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
    let (Kind::Console, Ok(Query(query))) = (rp.kind(), query) else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let (around, token) = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(around, token) => (around, token),
        Opened::Answered(answer) => return answer,
    };
    let path = query.path();
    let events = rp.api().get::<LogEvents>(&path, &token, false);
    let held = rp.api().get::<LogHeld>("audit/standing", &token, false);
    let members = rp.api().get::<Members>("members", &token, false);
    let (events, held, members) = tokio::join!(events, held, members);
    let names = members.map(words::names).unwrap_or_default();
    let mut shown = shown(*around, query, events, names);
    shown.standing = held.ok().as_ref().map(words::standing);
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

fn shown(
    around: Surroundings,
    query: LogQuery,
    events: Result<LogEvents, ApiError>,
    names: BTreeMap<String, String>,
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
    let mut people: Vec<_> = names.into_iter().collect();
    people.sort_by(|one, other| one.1.cmp(&other.1));
    LogPage {
        around,
        filter: query.filter(),
        people,
        entries,
        standing: None,
        older_href,
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
