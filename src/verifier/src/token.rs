//! The compact form and its header, before anything in them is believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::VerifyError;
use crate::json::{present, read_strictly};

/// The longest token looked at, in bytes. Ours have about one thousand.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// `typ` of an access token (RFC 9068 §2.1).
pub(crate) const ACCESS_TOKEN: &str = "at+jwt";
/// `typ` of a security event token (RFC 8417 §2.3). Each kind is refused as the other.
pub(crate) const SECURITY_EVENT: &str = "secevent+jwt";

/// The longest `kid` looked up, in bytes.
const MAX_KID_BYTES: usize = 128;

/// A token cut in its parts, with a header that may be acted on. Nothing is verified yet.
pub(crate) struct UnverifiedToken<'a> {
    /// What the issuer says it signed with; compared with the key's own, never followed.
    pub(crate) alg: String,
    pub(crate) kid: String,
    /// Header and payload as they were signed (RFC 7515 §5.2).
    pub(crate) signing_input: &'a str,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
    typ: Option<String>,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    b64: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    jwk: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    jku: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    x5c: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    x5u: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    enc: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    zip: Option<IgnoredAny>,
}

impl<'a> UnverifiedToken<'a> {
    /// Cuts a token whose header says that it is of this `typ`.
    pub(crate) fn parse(token: &'a str, typ: &str) -> Result<Self, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
        let (header, payload) = signing_input
            .split_once('.')
            .ok_or(VerifyError::Malformed)?;
        let (alg, kid) = read_strictly::<Header>(&decode(header)?)
            .ok_or(VerifyError::Malformed)?
            .accept(typ)?;
        Ok(Self {
            alg,
            kid,
            signing_input,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }
}

impl Header {
    /// The algorithm and key that the header names, if it names nothing it must not.
    fn accept(self, typ: &str) -> Result<(String, String), VerifyError> {
        // Presence is enough, whatever the value: we understand no extension, take a key only from
        // the issuer's set, and fetch no address that a token names.
        let refused = [
            ("crit", self.crit),
            ("b64", self.b64),
            ("jwk", self.jwk),
            ("jku", self.jku),
            ("x5c", self.x5c),
            ("x5u", self.x5u),
            ("enc", self.enc),
            ("zip", self.zip),
        ];
        if let Some((name, _)) = refused.into_iter().find(|(_, value)| value.is_some()) {
            return Err(VerifyError::HeaderRefused(name));
        }
        if self.typ.as_deref() != Some(typ) {
            return Err(VerifyError::WrongType);
        }
        let alg = self.alg.ok_or(VerifyError::WrongAlgorithm)?;
        match self.kid {
            Some(kid) if (1..=MAX_KID_BYTES).contains(&kid.len()) => Ok((alg, kid)),
            _ => Err(VerifyError::UnknownKey),
        }
    }
}

/// Base64url with one spelling per value: no padding, no stray tail bits, no other alphabet.
/// A part with a dot in it fails here too, so a fourth part is refused.
fn decode(part: &str) -> Result<Vec<u8>, VerifyError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| VerifyError::Malformed)
}
