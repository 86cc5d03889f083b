//! What a person does at the API by a form. What it does only for who has just proved a second
//! factor is kept with her session as she typed it, and sent once when she comes back from the
//! issuer (RFC 9470).

use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::announcement::keep;
use super::door::{Answer, Door};
use super::sign_in;
use crate::apps::RelyingParty;
use crate::apps::api::ApiError;
use crate::pages::DeedNotice;

/// Before what is kept, so that no announcement is taken for it: no page's field can hold it.
const MARK: &str = "\u{1}deed ";

/// One call of the API.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Deed {
    /// Below `/api/v1/`.
    pub(super) path: String,
    pub(super) body: Value,
    /// The page that says what came of it, which may have a query.
    pub(super) back: String,
}

/// What came of a deed, as a page is told: `?done=`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Came {
    done: Option<String>,
}

impl Came {
    pub(super) fn notice(&self) -> Option<DeedNotice> {
        self.done.as_deref().and_then(DeedNotice::parse)
    }
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

    /// What she typed there, of a deed that she did not confirm.
    pub(super) fn typed(&self, field: &str) -> Option<&str> {
        self.body.get(field)?.as_str()
    }

    /// The page, with what came of it.
    pub(super) fn came_to(&self, notice: DeedNotice) -> Response {
        let joint = if self.back.contains('?') { '&' } else { '?' };
        let to = format!("{}{joint}done={}", self.back, notice.word());
        Redirect::to(&to).into_response()
    }

    /// Sends it with the token that she confirmed for.
    pub(super) async fn send(&self, rp: &RelyingParty, access_token: &str) -> Response {
        match rp.api().post(&self.path, access_token, &self.body).await {
            Ok(()) => self.came_to(DeedNotice::Done),
            Err(refused) => self.came_to(DeedNotice::of_status(refused.shown().status)),
        }
    }

    /// Does it for whoever is signed in; who has to confirm first is sent to the issuer.
    pub(super) async fn attempt(&self, door: &Door) -> Answer {
        let (inside, rp) = (door.enter().await?, &door.rp);
        let session = &inside.session;
        let keep = async |text| {
            let kept = keep(rp, session.id, text).await;
            kept.map_err(|error| door.refuse(error))
        };
        let challenge = match rp.api().post(&self.path, inside.token(), &self.body).await {
            Ok(()) => {
                // What she did not confirm before is not meant any more.
                if session.draft.as_deref().and_then(Self::parse).is_some() {
                    keep(None).await?;
                }
                return Ok(self.came_to(DeedNotice::Done));
            }
            Err(ApiError::StepUp(challenge)) => challenge,
            Err(refused) => {
                let notice = DeedNotice::of_status(refused.shown().status);
                return Ok(self.came_to(notice));
            }
        };
        let kept = self.kept();
        keep(Some(&kept)).await?;
        let outset = sign_in::step_up(door, &challenge, &kept).await;
        outset.map_err(|error| door.refuse(error))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deed_is_kept_as_it_was_meant_and_nothing_else_is_one() {
        let deed = Deed {
            path: "signing-keys/k/withdraw".to_owned(),
            body: json!({ "why": "lost" }),
            back: "/endings?of=key".to_owned(),
        };
        let read = Deed::parse(&deed.kept()).expect("it is one");
        assert_eq!(read, deed);
        assert_eq!(read.typed("why"), Some("lost"));
        for no in ["The lab is closed on Friday.", "{\"path\":\"me\"}", MARK] {
            assert_eq!(Deed::parse(no), None, "{no}");
        }
    }

    #[test]
    fn its_page_is_told_what_came_of_it() {
        for (back, expected) in [
            ("/emergency", "/emergency?done=done"),
            ("/endings?of=key", "/endings?of=key&done=done"),
        ] {
            let deed = Deed {
                path: String::new(),
                body: Value::Null,
                back: back.to_owned(),
            };
            let answer = deed.came_to(DeedNotice::Done);
            assert_eq!(answer.headers()[http::header::LOCATION], expected);
        }
    }
}
