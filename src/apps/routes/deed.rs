//! What the API does only for who has just proved a second factor: kept with her session as she
//! typed it, and sent when she comes back from the issuer (RFC 9470).

use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::announcement::keep;
use super::browser::Browser;
use super::outcome::AppError;
use super::session::{PATIENCE_OF_A_PAGE, ended_page};
use super::sign_in;
use crate::apps::RelyingParty;
use crate::apps::api::ApiError;
use crate::apps::sites::Site;
use crate::apps::standing::{Standing, standing};
use crate::http::layers::RequestId;
use crate::pages::{DeedNotice, EndReason};

/// Before what is kept, so that no announcement is taken for it: no page's field can hold it.
const MARK: &str = "\u{1}deed ";

/// One call of the API.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Deed {
    /// Below `/api/v1/`.
    pub(super) path: String,
    pub(super) body: Value,
    /// The page that says what came of it.
    pub(super) back: String,
}

impl Deed {
    /// As it is kept with a session's ciphertext.
    fn kept(&self) -> String {
        format!("{MARK}{}", serde_json::json!(self))
    }

    /// What is kept, if it is one.
    pub(super) fn parse(draft: &str) -> Option<Self> {
        serde_json::from_str(draft.strip_prefix(MARK)?).ok()
    }

    /// The page, with what came of it.
    pub(super) fn came_to(&self, notice: DeedNotice) -> Response {
        let to = format!("{}?done={}", self.back, notice.word());
        Redirect::to(&to).into_response()
    }

    /// Sends it with the token that she confirmed for.
    pub(super) async fn send(&self, rp: &RelyingParty, access_token: &str) -> Response {
        match rp.api().post(&self.path, access_token, &self.body).await {
            Ok(()) => self.came_to(DeedNotice::Done),
            Err(refused) => self.came_to(DeedNotice::of_status(refused.shown().status)),
        }
    }
}

/// Does it for whoever is signed in; who has to confirm first is sent to the issuer.
///
/// - `csrf`: the form's
pub(super) async fn attempt(
    rp: &RelyingParty,
    (site, browser, id): (&Site, &Browser, &RequestId),
    csrf: &str,
    deed: &Deed,
) -> Response {
    if !browser.owns(rp, csrf) {
        return AppError::Forged.respond(rp, site, id);
    }
    let clinic = site.clinic.as_ref().map(|c| c.slug.as_str());
    let found = standing(rp, browser.session.as_ref(), clinic, PATIENCE_OF_A_PAGE).await;
    let session = match found {
        Ok(Standing::Live(session)) => *session,
        Ok(Standing::Ended(reason)) => return ended_page(rp, reason),
        Ok(Standing::Nobody) => return ended_page(rp, EndReason::Elsewhere),
        Err(error) => return AppError::from(error).respond(rp, site, id),
    };
    let token = &session.tokens.access_token;
    let challenge = match rp.api().post(&deed.path, token, &deed.body).await {
        Ok(()) => return deed.came_to(DeedNotice::Done),
        Err(ApiError::StepUp(challenge)) => challenge,
        Err(refused) => return deed.came_to(DeedNotice::of_status(refused.shown().status)),
    };
    let kept = deed.kept();
    let answered = match keep(rp, session.id, Some(&kept)).await {
        Ok(()) => sign_in::set_out(rp, site, browser, false, Some(&challenge)).await,
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| error.respond(rp, site, id))
}
