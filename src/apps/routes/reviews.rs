//! `/reviews`: what of the clinic's log waits to be looked at, and the signature on each.

use axum::Form;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::browser::Browser;
use super::outcome::AppError;
use super::surroundings::{Opened, open};
use crate::apps::api::{ApiError, Members, told_or_refused};
use crate::apps::model::Kind;
use crate::apps::record::Reviews;
use crate::apps::sites::Site;
use crate::apps::{RelyingParty, words};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{ReviewNotice, ReviewsPage, paths};

/// Values of `?done=`.
const SIGNED: &str = "signed";
const OWN_DEED: &str = "own";
const NOT_SIGNED: &str = "not";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewsQuery {
    after: Option<u64>,
    done: Option<String>,
}

impl ReviewsQuery {
    fn notice(&self) -> Option<ReviewNotice> {
        match self.done.as_deref()? {
            SIGNED => Some(ReviewNotice::Signed),
            OWN_DEED => Some(ReviewNotice::OwnDeed),
            NOT_SIGNED => Some(ReviewNotice::NotSigned),
            _ => None,
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
    query: Result<Query<ReviewsQuery>, QueryRejection>,
) -> Response {
    let (Kind::Console, Ok(Query(query))) = (rp.kind(), query) else {
        return AppError::NotFound.respond(&rp, &site, &id);
    };
    let (around, token) = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(around, token) => (around, token),
        Opened::Answered(answer) => return answer,
    };
    let path = query.after.map_or_else(
        || "audit/reviews".to_owned(),
        |after| format!("audit/reviews?after={after}"),
    );
    let reviews = rp.api().get::<Reviews>(&path, &token, false);
    let members = rp.api().get::<Members>("members", &token, false);
    let (reviews, members) = tokio::join!(reviews, members);
    let names = members.map(words::names).unwrap_or_default();
    let (given, refusal) = told_or_refused(reviews);
    let later = |next| format!("{}?after={next}", paths::APP_REVIEWS);
    let waiting = given.reviews.into_iter();
    let shown = ReviewsPage {
        around: *around,
        reviews: waiting.map(|one| words::review(one, &names)).collect(),
        later_href: given.next.map(later),
        notice: query.notice(),
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
}

#[derive(Deserialize)]
pub(super) struct Fields {
    csrf: String,
    index: u64,
    verdict: String,
}

/// `POST`: she looked at one.
pub(super) async fn sign(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    if rp.kind() != Kind::Console {
        return AppError::NotFound.respond(&rp, &site, &id);
    }
    if !browser.owns(&rp, &fields.csrf) {
        return AppError::Forged.respond(&rp, &site, &id);
    }
    let token = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(_, token) => token,
        Opened::Answered(answer) => return answer,
    };
    let path = format!("audit/reviews/{}", fields.index);
    let body = json!({ "verdict": fields.verdict });
    let done = match rp.api().post(&path, &token, &body).await {
        Ok(()) => SIGNED,
        Err(ApiError::Refused(refusal)) if refusal.status == 403 => OWN_DEED,
        Err(_) => NOT_SIGNED,
    };
    let to = format!("{}?done={done}", paths::APP_REVIEWS);
    Redirect::to(&to).into_response()
}
