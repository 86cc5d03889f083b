//! `/reviews`: what of the clinic's log waits to be looked at, and the signature on each.

use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use serde_json::json;

use super::door::{Answer, Asked, Door, Sent};
use super::log::names;
use crate::apps::api::{ApiError, told_or_refused};
use crate::apps::record::Reviews;
use crate::apps::words;
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
pub(super) async fn list(door: Door, Asked(query): Asked<ReviewsQuery>) -> Answer {
    let inside = door.enter().await?;
    let path = query.after.map_or_else(
        || "audit/reviews".to_owned(),
        |after| format!("audit/reviews?after={after}"),
    );
    let (api, token) = (door.rp.api(), inside.token());
    let reviews = api.get::<Reviews>(&path, token, false);
    let (reviews, names) = tokio::join!(reviews, names(&door.rp, token));
    let (given, refusal) = told_or_refused(reviews);
    let later = |next| format!("{}?after={next}", paths::APP_REVIEWS);
    let waiting = given.reviews.into_iter();
    Ok(door.show(&ReviewsPage {
        around: inside.around,
        app: door.rp.kind(),
        reviews: waiting.map(|one| words::review(one, &names)).collect(),
        later_href: given.next.map(later),
        notice: query.notice(),
        refusal,
    }))
}

#[derive(Debug, Deserialize)]
pub(super) struct Signature {
    index: u64,
    verdict: String,
}

/// `POST`: she looked at one.
pub(super) async fn sign(door: Door, Sent(signature): Sent<Signature>) -> Answer {
    let inside = door.enter().await?;
    let path = format!("audit/reviews/{}", signature.index);
    let body = json!({ "verdict": signature.verdict });
    let done = match door.rp.api().post(&path, inside.token(), &body).await {
        Ok(()) => SIGNED,
        Err(ApiError::Refused(refusal)) if refusal.status == 403 => OWN_DEED,
        Err(_) => NOT_SIGNED,
    };
    let to = format!("{}?done={done}", paths::APP_REVIEWS);
    Ok(Redirect::to(&to).into_response())
}
