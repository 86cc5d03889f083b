//! What the API does only for who has just proved a second factor: it is kept with the session, he
//! confirms at the issuer, and it is sent when he comes back (RFC 9470), once.

use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::apps::RelyingParty;
use crate::apps::api::ApiError;
use crate::apps::model::AppSession;
use crate::apps::routes::outcome::AppError;
use crate::apps::routes::{HOME, announcement, sign_in};
use crate::apps::sites::Site;
use crate::pages::paths;

use super::super::browser::Browser;

/// Values of `?done=`, of every deed.
pub(super) const DONE: &str = "done";
/// It may not be.
pub(super) const REFUSED: &str = "refused";
/// It was not sent, or is not as it was.
pub(super) const NOT_DONE: &str = "not";

/// One such thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "deed")]
pub(super) enum Deed {
    /// The minutes of a grant begin.
    Start { grant: Uuid },
    /// Everything of a clinic ends.
    EndSessions { clinic: Uuid, reason: String },
    /// A key is withdrawn.
    Withdraw { kid: String },
}

impl Deed {
    /// What is posted to the API.
    fn call(&self) -> (String, Value) {
        match self {
            Self::Start { grant } => (format!("impersonations/{grant}/start"), json!({})),
            Self::EndSessions { clinic, reason } => (
                "session-endings".to_owned(),
                json!({ "clinic": clinic, "reason": reason }),
            ),
            Self::Withdraw { kid } => (format!("signing-keys/{kid}/withdraw"), json!({})),
        }
    }

    /// To the page it belongs to.
    fn back(&self, done: &str) -> Response {
        let address = match self {
            Self::Start { .. } => format!("{}?done=start-{done}", paths::PLATFORM_SUPPORT),
            Self::EndSessions { .. } => format!("{}?done=end-{done}", paths::PLATFORM_ENDINGS),
            Self::Withdraw { .. } => format!("{}?done=key-{done}", paths::PLATFORM_ENDINGS),
        };
        Redirect::to(&address).into_response()
    }

    async fn send(&self, rp: &RelyingParty, access_token: &str) -> Result<(), ApiError> {
        let (path, body) = self.call();
        rp.api().post(&path, access_token, &body).await
    }
}

fn word(refused: ApiError) -> &'static str {
    match refused.shown().status {
        403 | 404 => REFUSED,
        _ => NOT_DONE,
    }
}

/// Does it, or has him confirm first that it is he.
pub(super) async fn take(
    rp: &RelyingParty,
    site: &Site,
    browser: &Browser,
    session: &AppSession,
    deed: &Deed,
) -> Result<Response, AppError> {
    match deed.send(rp, &session.tokens.access_token).await {
        Ok(()) => Ok(deed.back(DONE)),
        Err(ApiError::StepUp(challenge)) => {
            let kept = serde_json::to_string(deed).expect("strings serialize");
            announcement::keep(rp, session.id, Some(&kept)).await?;
            sign_in::set_out(rp, site, browser, false, Some(&challenge)).await
        }
        Err(refused) => Ok(deed.back(word(refused))),
    }
}

/// Does what was kept, with the token that he confirmed for. Nothing stays kept, whatever comes of
/// it: he did not mean it for tomorrow.
pub(in crate::apps::routes) async fn carry_on(
    rp: &RelyingParty,
    access_token: &str,
    kept: &str,
) -> Response {
    let Ok(deed) = serde_json::from_str::<Deed>(kept) else {
        return Redirect::to(HOME).into_response();
    };
    match deed.send(rp, access_token).await {
        Ok(()) => deed.back(DONE),
        Err(refused) => deed.back(word(refused)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_is_kept_as_it_was_meant() {
        let grant = Uuid::from_u128(7);
        for deed in [
            Deed::Start { grant },
            Deed::EndSessions {
                clinic: grant,
                reason: "drill".into(),
            },
            Deed::Withdraw { kid: "k".into() },
        ] {
            let kept = serde_json::to_string(&deed).expect("it is text");
            assert_eq!(serde_json::from_str::<Deed>(&kept).ok(), Some(deed));
        }
        assert!(serde_json::from_str::<Deed>("The lab is closed on Friday.").is_err());
    }
}
