//! The issuer's public keys (RFC 7517), and what a signature is checked against.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::KeySourceError;
use crate::json::read_strictly;

/// A key set as published (RFC 7517 §5).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JwkSet {
    /// The entries. What can't be understood is left out (RFC 7517 §5), not an error.
    #[serde(deserialize_with = "understood")]
    pub keys: Vec<Jwk>,
    /// How long the issuer lets the set be kept (`Cache-Control: max-age`), if it said.
    #[serde(skip)]
    pub max_age: Option<Duration>,
}

/// One public key as published (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Jwk {
    /// `EC`, `OKP` or `RSA`.
    pub kty: String,
    /// The key's name in a token's header. A key without one is never used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The one algorithm that this key is for. A key without one is never used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// `sig`, if stated.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub use_: Option<String>,
    /// `P-256` or `Ed25519`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// The point's first coordinate, or the Ed25519 key; base64url of 32 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The point's second coordinate; base64url of 32 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The RSA modulus; base64url, 2048 bits at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// The RSA exponent; base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// There when the entry carries a private exponent, whose value is not kept.
    #[serde(default, rename = "d", skip_serializing)]
    private: Option<IgnoredAny>,
}

impl JwkSet {
    /// Reads a published document.
    ///
    /// # Errors
    /// [`KeySourceError::Malformed`] if it is no object with a list `keys`, or a name occurs twice.
    pub fn from_json(document: &[u8]) -> Result<Self, KeySourceError> {
        read_strictly(document).ok_or(KeySourceError::Malformed("not an object with `keys`"))
    }
}

impl Jwk {
    /// A P-256 key for ES256. `point` is uncompressed: 0x04, 32 bytes x, 32 bytes y.
    pub fn es256(kid: impl Into<String>, point: &[u8; 65]) -> Self {
        Self {
            kty: "EC".to_owned(),
            crv: Some("P-256".to_owned()),
            x: Some(URL_SAFE_NO_PAD.encode(&point[1..33])),
            y: Some(URL_SAFE_NO_PAD.encode(&point[33..])),
            ..Self::signing(kid.into(), "ES256")
        }
    }

    /// An Ed25519 key for `EdDSA`.
    pub fn ed_dsa(kid: impl Into<String>, public_key: &[u8; 32]) -> Self {
        Self {
            kty: "OKP".to_owned(),
            crv: Some("Ed25519".to_owned()),
            x: Some(URL_SAFE_NO_PAD.encode(public_key)),
            ..Self::signing(kid.into(), "EdDSA")
        }
    }

    /// An RSA key for RS256. Both numbers big-endian, without leading zeros.
    pub fn rs256(kid: impl Into<String>, modulus: &[u8], exponent: &[u8]) -> Self {
        Self {
            kty: "RSA".to_owned(),
            n: Some(URL_SAFE_NO_PAD.encode(modulus)),
            e: Some(URL_SAFE_NO_PAD.encode(exponent)),
            ..Self::signing(kid.into(), "RS256")
        }
    }

    fn signing(kid: String, alg: &str) -> Self {
        Self {
            kid: Some(kid),
            alg: Some(alg.to_owned()),
            use_: Some("sig".to_owned()),
            ..Self::default()
        }
    }
}

fn understood<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Jwk>, D::Error> {
    let entries = Vec::<serde_json::Value>::deserialize(deserializer)?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| serde_json::from_value(entry).ok())
        .collect())
}

/// A key that signatures are checked with, by the one algorithm it was published for.
///
/// There is no variant for HMAC and none for `none`: what does not exist can't be chosen.
#[derive(PartialEq, Eq)]
pub(crate) enum VerifyingKey {
    /// The uncompressed point: 0x04, x, y.
    Es256([u8; 65]),
    EdDsa([u8; 32]),
    Rs256 {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl VerifyingKey {
    /// `None` for a key that is not for signatures, is not one of our algorithms, does not say
    /// which, or carries a private part (it is then no secret any more).
    pub(crate) fn from_jwk(jwk: &Jwk) -> Option<Self> {
        if jwk.private.is_some() || jwk.use_.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        match (jwk.kty.as_str(), jwk.crv.as_deref(), jwk.alg.as_deref()?) {
            ("EC", Some("P-256"), "ES256") => {
                let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                (x.len() == 32).then_some(Self::Es256(point.try_into().ok()?))
            }
            // RFC 9864 names the curve's algorithm `Ed25519`; ours is published as RFC 8037's.
            ("OKP", Some("Ed25519"), "EdDSA") => Some(Self::EdDsa(bytes(&jwk.x)?.try_into().ok()?)),
            ("RSA", None, "RS256") => {
                let (n, e) = (bytes(&jwk.n)?, bytes(&jwk.e)?);
                (n.len() >= 256).then_some(Self::Rs256 { n, e })
            }
            _ => None,
        }
    }

    /// The `alg` that a header must show for this key (RFC 8725 §3.1).
    pub(crate) fn alg(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
            Self::Rs256 { .. } => "RS256",
        }
    }

    /// Whether this key made the signature.
    pub(crate) fn verifies(&self, signing_input: &[u8], signature: &[u8]) -> bool {
        let outcome = match self {
            Self::Es256(point) => {
                signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                    .verify(signing_input, signature)
            }
            Self::EdDsa(key) => signature::UnparsedPublicKey::new(&signature::ED25519, key)
                .verify(signing_input, signature),
            Self::Rs256 { n, e } => signature::RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                signing_input,
                signature,
            ),
        };
        outcome.is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.alg())
    }
}
