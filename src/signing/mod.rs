//! The signing keys: one ring of them for the whole deployment, and the JWS they make.
//!
//! Invariants
//! 1. A private key is at rest only under identity's data key, which is under the master key; bound
//!    to its `kid`.
//! 2. No token is signed by a key that is not yet published and durable.
//! 3. Exactly one key of each algorithm is current, at most one next (unique indexes hold it).
//! 4. A key goes from next to current to previous to gone, and never back; gone, its private half
//!    is erased.

mod key;
pub mod policy;
pub mod ring;
pub mod service;
pub(crate) mod store;

pub use key::{Alg, SigningKey};
pub use ring::KeyRing;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The classes of our tokens, each with its own `typ`, so that none passes for another
/// (RFC 8725 §3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// RFC 9068.
    AccessToken,
    /// OIDC Core §2.
    IdToken,
    /// RFC 8417 §2.3.
    SecurityEvent,
}

impl TokenType {
    const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
            Self::SecurityEvent => "secevent+jwt",
        }
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
    typ: &'static str,
}

/// A compact JWS over `claims` (RFC 7515 §7.1).
///
/// Assembled here with a key that is parsed once: jsonwebtoken parses it again at each `encode`.
pub fn sign<T: Serialize>(key: &SigningKey, token_type: TokenType, claims: &T) -> String {
    let header = Header {
        alg: key.alg().name(),
        kid: key.kid(),
        typ: token_type.name(),
    };
    let encode = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
    let mut token = encode(serde_json::to_vec(&header).expect("strings serialize"));
    token.push('.');
    token += &encode(serde_json::to_vec(claims).expect("claims serialize"));
    let signature = key.sign(token.as_bytes());
    token.push('.');
    token += &URL_SAFE_NO_PAD.encode(signature);
    token
}

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;

#[derive(Deserialize)]
struct PresentedHeader {
    alg: String,
    kid: String,
    typ: String,
}

/// The claims of a token of our own that comes back to us: signed by a published key, with that
/// key's algorithm, as this type. Its time is the caller's to judge: a hint may be over.
pub fn open<T: DeserializeOwned>(ring: &KeyRing, token_type: TokenType, token: &str) -> Option<T> {
    open_named(ring, token_type, token).map(|(_, claims)| claims)
}

/// The same, with the name of the key that signed it.
pub fn open_named<T: DeserializeOwned>(
    ring: &KeyRing,
    token_type: TokenType,
    token: &str,
) -> Option<(String, T)> {
    if token.len() > LONGEST {
        return None;
    }
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: PresentedHeader = serde_json::from_slice(&decode(header)?).ok()?;
    let key = ring.find(&header.kid)?;
    let is_ours = header.typ == token_type.name()
        && header.alg == key.alg().name()
        && key.verifies(message.as_bytes(), &decode(signature)?);
    let claims = is_ours.then(|| serde_json::from_slice(&decode(claims)?).ok());
    claims.flatten().map(|claims| (header.kid, claims))
}
