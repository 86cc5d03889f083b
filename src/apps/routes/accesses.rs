//! `GET /accesses`: who saw a patient's record at this clinic (45 CFR 164.528).

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::browser::Browser;
use super::outcome::AppError;
use super::surroundings::{Opened, open};
use crate::apps::model::Kind;
use crate::apps::record::Accesses;
use crate::apps::sites::Site;
use crate::apps::{RelyingParty, words};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{AccessesPage, paths};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessesQuery {
    before: Option<u64>,
}

/// The handler.
pub(super) async fn accesses(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    query: Result<Query<AccessesQuery>, QueryRejection>,
) -> Response {
    let (Kind::Patient, Ok(Query(query))) = (rp.kind(), query) else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let (around, token) = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(around, token) => (around, token),
        Opened::Answered(answer) => return answer,
    };
    let path = query.before.map_or_else(
        || "audit/accesses".to_owned(),
        |before| format!("audit/accesses?before={before}"),
    );
    let given = rp.api().get::<Accesses>(&path, &token, false).await;
    let (given, refusal) = match given {
        Ok(given) => (given, None),
        Err(refused) => (Accesses::default(), Some(refused.shown())),
    };
    let older = |next| format!("{}?before={next}", paths::APP_ACCESSES);
    let shown = AccessesPage {
        around: *around,
        accesses: given.accesses.into_iter().map(words::access).collect(),
        older_href: given.next.map(older),
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}
