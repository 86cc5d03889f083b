//! `grant_type=authorization_code` with a code of an app that was entered under a grant
//! ([`crate::oidc::handover`]).

use secrecy::SecretString;

use super::{TokenResponse, acting, malformed_form};
use crate::app::App;
use crate::http::form::Parameters;
use crate::http::oauth_error::OAuthError;
use crate::oidc::client::Client;
use crate::oidc::handover::model::PresentedHandoverCode;
use crate::oidc::handover::redemption::{self, Outcome, Shown};

/// What a form shows, if its code is one of these.
///
/// # Errors
/// `invalid_request` for a parameter that is there twice.
pub(super) fn read(form: &Parameters) -> Result<Option<Shown>, OAuthError> {
    let one = |name| form.one(name).map_err(malformed_form);
    let Some(code) = one("code")?.and_then(PresentedHandoverCode::parse) else {
        return Ok(None);
    };
    Ok(Some(Shown {
        code,
        redirect_uri: one("redirect_uri")?.map(str::to_owned),
        verifier: one("code_verifier")?.map(SecretString::from),
    }))
}

/// Redeems it, once: an access token and an ID token under `act`, no refresh token.
///
/// # Errors
/// `invalid_grant`.
pub(super) async fn redeem(
    app: &App,
    client: &Client,
    shown: &Shown,
) -> Result<TokenResponse, OAuthError> {
    match redemption::redeem(app, client, shown).await? {
        Outcome::Refused(why) => Err(OAuthError::invalid_grant(why)),
        Outcome::Bought(bought) => {
            let for_whom = (bought.audience.as_str(), bought.nonce.as_deref());
            Ok(acting::in_app(app, client, &bought.lent, for_whom))
        }
    }
}
