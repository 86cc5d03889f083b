//! Why a token, a key set or a configuration was refused.

use thiserror::Error;

/// Why [`Verifier::verify`](crate::Verifier::verify) gave no principal.
///
/// For the log of the API, never for its caller: the caller gets `invalid_token` for all of them
/// but [`VerifyError::KeysUnavailable`] and [`VerifyError::RevocationsStale`] (RFC 6750 §3.1). No
/// variant quotes the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Longer than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES). The client's fault.
    #[error("token longer than 8 KiB")]
    TooLong,
    /// Not three base64url parts with a JSON object in front. The client's fault.
    #[error("not a JWS in compact form (RFC 7515 §7.1)")]
    Malformed,
    /// Another kind of JWT than an access token: an ID token, a logout token, a proof. The
    /// client's fault.
    #[error("typ is not at+jwt (RFC 9068 §2.1)")]
    WrongType,
    /// `crit`, or a header that would change what is verified or bring its own key. Forged.
    #[error("header parameter `{0}` is refused (RFC 8725 §3.10, RFC 7515 §4.1.11)")]
    HeaderRefused(&'static str),
    /// The header's `alg` is not the one that the issuer published for this key. Forged.
    #[error("alg is not the key's own (RFC 8725 §3.1)")]
    WrongAlgorithm,
    /// No key of that `kid` in the issuer's present key set: forged, or its key was withdrawn.
    #[error("kid is not in the issuer's key set")]
    UnknownKey,
    /// The signature is not by that key. Forged.
    #[error("signature does not verify")]
    BadSignature,
    /// A required claim is missing, twice there or of the wrong type. The issuer's fault, or a
    /// token that was never an access token.
    #[error("claims are not those of an access token (RFC 9068 §2.2): {0}")]
    Claims(&'static str),
    /// Another issuer. The client's or the operator's fault.
    #[error("iss is not the issuer")]
    WrongIssuer,
    /// Minted for another API. The client's or the operator's fault.
    #[error("aud is not this API")]
    WrongAudience,
    /// Past `exp` and the leeway. Everyday: the client refreshes.
    #[error("expired")]
    Expired,
    /// `iat` or `nbf` lies in the future beyond the leeway: a clock is wrong.
    #[error("not yet valid")]
    NotYetValid,
    /// `exp - iat` is more than [`MAX_TOKEN_LIFETIME`](crate::MAX_TOKEN_LIFETIME).
    #[error("lives longer than any access token may")]
    LivesTooLong,
    /// Bound to a key (`cnf`) but presented as a plain bearer token: stolen, or a client's fault.
    #[error("sender-constrained token without its proof (RFC 7800 §3, RFC 9449 §7.1)")]
    SenderConstrained,
    /// Its session, its person, her clinic, its key or the like was revoked after it was minted.
    /// Everyday: somebody signed out.
    #[error("revoked")]
    Revoked,
    /// What was revoked lately is not known here, and the route does not take that risk: the
    /// answer is 503, as for the keys.
    #[error("revocations are not up to date")]
    RevocationsStale,
    /// The issuer's keys can't be had, or are older than the bound. Nobody's token is at fault:
    /// the answer is 503, and never "allow".
    #[error("the issuer's keys are not available")]
    KeysUnavailable,
}

/// Why a [`Builder`](crate::Builder) made no verifier. The operator's or the programmer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The issuer is not an `https` URL without query and fragment (RFC 8414 §2); `http` is taken
    /// for a loopback host only.
    #[error("the issuer must be an https URL without query or fragment")]
    Issuer,
    /// The audience is empty.
    #[error("the audience must not be empty")]
    Audience,
    /// No key source was given.
    #[error("a key source is needed: `.keys(..)`")]
    NoKeys,
    /// The resource identifier is not a URL (RFC 9728 §1.2).
    #[error("the resource must be an https URL without query or fragment")]
    Resource,
}

/// Why a [`KeySource`](crate::KeySource) brought no key set.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeySourceError {
    /// The issuer could not be reached, or did not answer with success. Transient.
    #[error("the issuer did not answer: {0}")]
    Unreachable(String),
    /// What came is not a key set (RFC 7517 §5). The issuer's or a proxy's fault.
    #[error("not a JWK set: {0}")]
    Malformed(&'static str),
}
