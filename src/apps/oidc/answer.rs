//! What the token endpoint says, and what we take from it.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, Client, EndpointMaybeSet, EndpointNotSet, EndpointSet, ExtraTokenFields,
    IdToken, IdTokenClaims, IdTokenFields, RequestTokenError, StandardErrorResponse,
    StandardTokenResponse,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::apps::calls::CallError;
use crate::apps::model::{Acting, Told};

/// What an issuer that tells no clocks is taken to mean.
const UNTOLD_IDLE: Duration = Duration::minutes(15);
const UNTOLD_SESSION: Duration = Duration::hours(12);

/// What our issuer adds to a token response (design §4): seconds from now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Clocks {
    pub(super) idle_expires_in: Option<i64>,
    pub(super) session_expires_in: Option<i64>,
    /// The whole idle limit, if it says so.
    pub(super) idle_limit: Option<i64>,
}
impl ExtraTokenFields for Clocks {}

/// What our issuer adds to an ID token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TenantClaims {
    pub(super) tid: uuid::Uuid,
    pub(super) actor_name: Option<String>,
    /// Of any other shape: the token is refused.
    pub(super) act: Option<Act>,
}

/// Support acts (RFC 8693 §4.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Act {
    pub(super) sub: uuid::Uuid,
    pub(super) grant: uuid::Uuid,
    pub(super) preset: String,
}
impl AdditionalClaims for TenantClaims {}

type Fields = IdTokenFields<
    TenantClaims,
    Clocks,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
pub(super) type Response = StandardTokenResponse<Fields, CoreTokenType>;
pub(super) type Failure = StandardErrorResponse<CoreErrorResponseType>;
pub(super) type Claims = IdTokenClaims<TenantClaims, CoreGenderClaim>;
pub(super) type Token = IdToken<
    TenantClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
pub(super) type Configured = Client<
    TenantClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    Failure,
    Response,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why the issuer gave us nothing.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// Nobody's yet: no answer, or one of an ailing server. Trying again may help.
    #[error("the issuer can't be reached: {0}")]
    Unreachable(String),
    /// The grant is over: for a refresh, so is the session.
    #[error("the issuer refused: {0}")]
    Refused(String),
    /// Ours or the issuer's: the answer is not what the standard says.
    #[error("the issuer's answer is not good: {0}")]
    BadAnswer(String),
}

/// What the token endpoint gave, checked.
#[derive(Debug)]
pub struct Granted {
    /// For the API.
    pub access_token: SecretString,
    /// When it ends.
    pub access_ends_at: OffsetDateTime,
    /// For the next one; a refresh that gives none leaves the old one good.
    pub refresh_token: Option<SecretString>,
    /// As it came; a refresh may give none.
    pub id_token: Option<IdentityOf>,
    /// The clocks.
    pub told: Told,
    /// Whether the issuer said the whole idle limit, rather than what is left of it.
    pub limit_is_told: bool,
}

/// Who an ID token is about.
#[derive(Debug)]
pub struct IdentityOf {
    /// The token, for the hint at logout.
    pub raw: String,
    /// The `sub`.
    pub subject: String,
    /// The `tid`.
    pub tenant: uuid::Uuid,
    /// The `name`.
    pub name: Option<String>,
    /// The `act`, with what who acts is called.
    pub acting: Option<Acting>,
}

impl TenantClaims {
    pub(super) fn acting(&self) -> Option<Acting> {
        self.act.as_ref().map(|act| Acting {
            actor: act.sub,
            actor_name: self.actor_name.clone(),
            grant: act.grant,
            preset: act.preset.clone(),
        })
    }
}

pub(super) fn told(clocks: &Clocks, now: OffsetDateTime) -> Told {
    let of = |seconds: Option<i64>, untold: Duration| {
        seconds.map_or(untold, |s| Duration::seconds(s.clamp(0, 86_400 * 30)))
    };
    let session = of(clocks.session_expires_in, UNTOLD_SESSION);
    let idle = of(clocks.idle_expires_in, UNTOLD_IDLE).min(session);
    Told {
        told_at: now,
        idle_ends_at: now + idle,
        session_ends_at: now + session,
        idle_limit: of(clocks.idle_limit, idle).max(idle),
    }
}

pub(super) fn of_token_endpoint(error: RequestTokenError<CallError, Failure>) -> OidcError {
    match error {
        RequestTokenError::ServerResponse(refusal) => match refusal.error() {
            CoreErrorResponseType::InvalidGrant => OidcError::Refused(refusal.to_string()),
            CoreErrorResponseType::Extension(word)
                if word == "server_error" || word == "temporarily_unavailable" =>
            {
                OidcError::Unreachable(word.clone())
            }
            _ => OidcError::BadAnswer(refusal.to_string()),
        },
        RequestTokenError::Request(error) => OidcError::Unreachable(crate::http::chain(&error)),
        RequestTokenError::Parse(_, body) if body.is_empty() => {
            OidcError::Unreachable("an empty answer".to_owned())
        }
        RequestTokenError::Parse(error, _) => OidcError::BadAnswer(error.to_string()),
        RequestTokenError::Other(text) => OidcError::BadAnswer(text),
    }
}
