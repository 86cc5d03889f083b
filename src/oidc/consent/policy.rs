//! Whether a recorded yes is one to what is asked now. Pure.

use time::OffsetDateTime;

use super::model::Consent;
use crate::oidc::client::Client;
use crate::oidc::interaction::{AuthorizeRequest, Prompt};

/// Whether a code may be issued without asking her.
///
/// - `asked_at`: when the interaction began that she comes back from: a yes since then is the one
///   that `prompt=consent` wants.
pub fn covers(
    consent: Option<&Consent>,
    client: &Client,
    request: &AuthorizeRequest,
    asked_at: Option<OffsetDateTime>,
) -> bool {
    let Some(consent) = consent else { return false };
    let is_fresh = asked_at.is_some_and(|asked| asked <= consent.given_at);
    allows(consent, client, &request.scopes)
        && (is_fresh || !request.prompt.contains(&Prompt::Consent))
}

/// Whether she said yes to this registration of the client and to each of these scopes.
pub fn allows(consent: &Consent, client: &Client, scopes: &[String]) -> bool {
    consent.client_created_at == client.created_at
        && scopes.iter().all(|scope| consent.scopes.contains(scope))
}
