//! What an authorization request may come to under `act`. Pure.

use crate::oidc::authorize::AuthorizeError;
use crate::oidc::interaction::{AuthorizeRequest, Prompt};
use crate::oidc::scope::Scope;

/// The scope that lends who she is at the clinic: without it not her name either.
const WHO_SHE_IS: &str = "profile:read";

/// Whether a request needs nothing that only the person herself could give: nobody signs in again,
/// chooses, consents or steps up in her name.
///
/// # Errors
/// What the client is told.
pub(super) fn needs_no_page(request: &AuthorizeRequest) -> Result<(), AuthorizeError> {
    let is_silent = request.prompt.iter().all(|prompt| *prompt == Prompt::None);
    if !request.acr_values.is_empty() {
        Err(AuthorizeError::UnmetAuthenticationRequirements)
    } else if is_silent && request.max_age.is_none() {
        Ok(())
    } else {
        Err(AuthorizeError::AccessDenied)
    }
}

/// What of `asked` a code gives: what is lent, and of the protocol's own scopes the ones that show
/// no more. Her address is never lent.
pub(super) fn lent_of(asked: &[String], lent: &[String]) -> Vec<String> {
    let is_lent = |scope: &&String| {
        let scope = scope.as_str();
        scope == Scope::Openid.name()
            || (scope == Scope::Profile.name() && lent.iter().any(|lent| lent == WHO_SHE_IS))
            || lent.iter().any(|lent| lent == scope)
    };
    asked.iter().filter(is_lent).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn request(change: impl FnOnce(&mut AuthorizeRequest)) -> AuthorizeRequest {
        let mut request = AuthorizeRequest {
            client_id: "desk".to_owned(),
            redirect_uri: "https://desk.example/cb".to_owned(),
            state: None,
            nonce: None,
            scopes: words("openid"),
            code_challenge: None,
            prompt: Vec::new(),
            max_age: None,
            acr_values: Vec::new(),
            login_hint: None,
            hint: None,
            audience: "https://api.example".to_owned(),
        };
        change(&mut request);
        request
    }

    #[test]
    fn a_request_that_only_she_could_answer_is_refused() {
        assert_eq!(needs_no_page(&request(|_| ())), Ok(()));
        assert_eq!(
            needs_no_page(&request(|r| r.prompt = vec![Prompt::None])),
            Ok(())
        );
        for prompt in [Prompt::Login, Prompt::Consent, Prompt::SelectAccount] {
            let asked = request(|r| r.prompt = vec![prompt]);
            assert_eq!(needs_no_page(&asked), Err(AuthorizeError::AccessDenied));
        }
        let aged = request(|r| r.max_age = Some(86_400));
        assert_eq!(needs_no_page(&aged), Err(AuthorizeError::AccessDenied));
        let stepped = request(|r| r.acr_values = words("urn:lanyard:acr:mfa"));
        let unmet = AuthorizeError::UnmetAuthenticationRequirements;
        assert_eq!(needs_no_page(&stepped), Err(unmet));
    }

    /// IMP-10.
    #[test]
    fn a_code_gives_what_is_lent_and_never_her_address() {
        let asked = words("audit:read email openid profile profile:read visits:read");
        let all = words("profile:read visits:read");
        assert_eq!(
            lent_of(&asked, &all),
            words("openid profile profile:read visits:read")
        );
        assert_eq!(
            lent_of(&asked, &words("visits:read")),
            words("openid visits:read")
        );
        assert_eq!(lent_of(&asked, &[]), words("openid"));
        assert_eq!(
            lent_of(&words("email visits:write"), &all),
            Vec::<String>::new()
        );
    }
}
