//! Reading an authorization request (RFC 6749 §4.1.1, OIDC Core §3.1.2.1, RFC 7636, RFC 8707).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::AuthorizeError;
use crate::http::form::{Malformed, Parameters};
use crate::oidc::client::{Client, ClientKind, Profile};
use crate::oidc::interaction::{AuthorizeRequest, Prompt};
use crate::oidc::scope::Scope;

/// The context of authentication in which a password was proved (record 0014).
pub const ACR_PASSWORD: &str = "urn:lanyard:acr:password";
/// The one in which a second factor was proved as well.
pub const ACR_MFA: &str = "urn:lanyard:acr:mfa";
/// Scopes of the protocol itself; all others belong to a module.
pub const PROTOCOL_SCOPES: [&str; 3] = [
    Scope::Openid.name(),
    Scope::Profile.name(),
    Scope::Email.name(),
];

/// Longest `state`, `nonce` and the like, in bytes (AUTHZ-17).
const LONGEST_ECHO: usize = 2048;

/// Reads what comes beside client and redirect address, which are already known to be right.
///
/// # Errors
/// The word for the redirect back to the client.
pub fn read(
    given: &Parameters,
    client: &Client,
    redirect_uri: &str,
) -> Result<AuthorizeRequest, AuthorizeError> {
    if given.repeated(&["resource"]).is_some() {
        return Err(AuthorizeError::InvalidRequest(
            "a parameter is given more than once",
        ));
    }
    if given.all("request").next().is_some() {
        return Err(AuthorizeError::RequestNotSupported);
    }
    if given.all("request_uri").next().is_some() {
        return Err(AuthorizeError::RequestUriNotSupported);
    }
    if !matches!(
        client.kind,
        ClientKind::Web | ClientKind::Spa | ClientKind::Native
    ) {
        return Err(AuthorizeError::UnauthorizedClient);
    }
    match optional(given, "response_type")? {
        Some("code") => {}
        Some(_) => return Err(AuthorizeError::UnsupportedResponseType),
        None => return Err(AuthorizeError::InvalidRequest("response_type is missing")),
    }
    if optional(given, "response_mode")?.is_some_and(|mode| mode != "query") {
        return Err(AuthorizeError::InvalidRequest(
            "response_mode is not one of this client's",
        ));
    }
    Ok(AuthorizeRequest {
        client_id: client.id.as_str().to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        state: echo(given, "state")?,
        nonce: echo(given, "nonce")?,
        scopes: scopes(given, client)?,
        code_challenge: challenge(given, client)?,
        prompt: prompt(given)?,
        max_age: max_age(given)?,
        acr_values: acr_values(given)?,
        login_hint: echo(given, "login_hint")?.filter(|hint| hint.len() <= 254),
        hint: None,
        audience: audience(given, client)?,
    })
}

/// The clinic asked for, if one is (design §2): a slug or an id.
pub fn organization(given: &Parameters) -> Result<Option<String>, AuthorizeError> {
    let named = optional(given, "organization")?;
    match named {
        Some(name) if name.len() > 64 => Err(AuthorizeError::InvalidRequest("organization")),
        other => Ok(other.map(str::to_owned)),
    }
}

fn optional<'a>(
    given: &'a Parameters,
    name: &'static str,
) -> Result<Option<&'a str>, AuthorizeError> {
    given.one(name).map_err(|malformed| match malformed {
        Malformed::Repeated(_) => {
            AuthorizeError::InvalidRequest("a parameter is given more than once")
        }
        Malformed::ContentType | Malformed::Encoding | Malformed::TooLarge => {
            AuthorizeError::InvalidRequest("a parameter can't be read")
        }
    })
}

fn echo(given: &Parameters, name: &'static str) -> Result<Option<String>, AuthorizeError> {
    match optional(given, name)? {
        Some(value) if value.len() > LONGEST_ECHO => Err(AuthorizeError::InvalidRequest(name)),
        other => Ok(other.map(str::to_owned)),
    }
}

/// What is asked for, without words that mean nothing here or that this client may never have
/// (OIDC Core §3.1.2.1 asks to ignore those).
fn scopes(given: &Parameters, client: &Client) -> Result<Vec<String>, AuthorizeError> {
    let asked = optional(given, "scope")?.ok_or(AuthorizeError::InvalidScope)?;
    let may = |scope: &&str| {
        PROTOCOL_SCOPES.contains(scope)
            || client.scopes.iter().any(|registered| registered == scope)
    };
    let mut granted: Vec<String> = asked
        .split(' ')
        .filter(|s| !s.is_empty())
        .filter(may)
        .map(str::to_owned)
        .collect();
    granted.sort_unstable();
    granted.dedup();
    if granted.is_empty() {
        Err(AuthorizeError::InvalidScope)
    } else {
        Ok(granted)
    }
}

/// RFC 7636 §4.2–4.3: S256 alone. A confidential client of the plain oidc profile may leave it out.
fn challenge(given: &Parameters, client: &Client) -> Result<Option<String>, AuthorizeError> {
    let method = optional(given, "code_challenge_method")?;
    let Some(challenge) = optional(given, "code_challenge")? else {
        let is_excused = client.profile == Profile::Oidc && !client.kind.is_public();
        return if is_excused && method.is_none() {
            Ok(None)
        } else {
            Err(AuthorizeError::InvalidRequest("code_challenge is missing"))
        };
    };
    if method != Some("S256") {
        return Err(AuthorizeError::InvalidRequest(
            "code_challenge_method must be S256",
        ));
    }
    let is_digest = URL_SAFE_NO_PAD
        .decode(challenge)
        .is_ok_and(|bytes| bytes.len() == 32);
    if !is_digest {
        return Err(AuthorizeError::InvalidRequest(
            "code_challenge is not a SHA-256 digest",
        ));
    }
    Ok(Some(challenge.to_owned()))
}

fn prompt(given: &Parameters) -> Result<Vec<Prompt>, AuthorizeError> {
    let mut prompts = Vec::new();
    for word in optional(given, "prompt")?.unwrap_or_default().split(' ') {
        match word {
            "" => {}
            "consent" => prompts.push(Prompt::Consent),
            "none" => prompts.push(Prompt::None),
            "login" => prompts.push(Prompt::Login),
            "select_account" => prompts.push(Prompt::SelectAccount),
            _ => {
                return Err(AuthorizeError::InvalidRequest(
                    "prompt has an unknown value",
                ));
            }
        }
    }
    if prompts.contains(&Prompt::None) && prompts.len() > 1 {
        return Err(AuthorizeError::InvalidRequest("prompt=none stands alone"));
    }
    Ok(prompts)
}

fn max_age(given: &Parameters) -> Result<Option<u32>, AuthorizeError> {
    let Some(text) = optional(given, "max_age")? else {
        return Ok(None);
    };
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(seconds) if is_digits => Ok(Some(seconds)),
        _ => Err(AuthorizeError::InvalidRequest("max_age must be seconds")),
    }
}

/// The context that a session with these methods is in.
pub fn acr_of(amr: &[String]) -> &'static str {
    if amr.iter().any(|method| method == "mfa") {
        ACR_MFA
    } else {
        ACR_PASSWORD
    }
}

/// Whether nothing but a second factor would do.
pub fn asks_for_factor(request: &AuthorizeRequest) -> bool {
    let has = |acr: &str| request.acr_values.iter().any(|value| value == acr);
    has(ACR_MFA) && !has(ACR_PASSWORD)
}

/// `acr_values`, and an `acr` that the `claims` parameter calls essential.
fn acr_values(given: &Parameters) -> Result<Vec<String>, AuthorizeError> {
    let words = optional(given, "acr_values")?.unwrap_or_default();
    let mut values: Vec<String> = words
        .split(' ')
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect();
    if let Some(claims) = optional(given, "claims")? {
        let claims: serde_json::Value = serde_json::from_str(claims)
            .map_err(|_| AuthorizeError::InvalidRequest("claims is not JSON"))?;
        let acr = &claims["id_token"]["acr"];
        if acr["essential"].as_bool() == Some(true) {
            let named = acr["values"]
                .as_array()
                .into_iter()
                .flatten()
                .chain(acr.get("value"));
            values = named
                .filter_map(|v| v.as_str())
                .map(str::to_owned)
                .collect();
        }
    }
    let is_known = |acr: &String| acr == ACR_PASSWORD || acr == ACR_MFA;
    if !values.is_empty() && !values.iter().any(is_known) {
        return Err(AuthorizeError::UnmetAuthenticationRequirements);
    }
    Ok(values)
}

/// RFC 8707 §2: one of the client's registered resources; its first without `resource`.
fn audience(given: &Parameters, client: &Client) -> Result<String, AuthorizeError> {
    let mut resources = given.all("resource");
    let (first, second) = (resources.next(), resources.next());
    if second.is_some() {
        return Err(AuthorizeError::InvalidTarget);
    }
    let registered = match first {
        None => client.audiences.first(),
        Some(asked) => client.audiences.iter().find(|known| *known == asked),
    };
    registered.cloned().ok_or(AuthorizeError::InvalidTarget)
}
