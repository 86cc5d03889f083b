//! One signing key, parsed and ready.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The algorithms that we sign with. `none` and HMAC can't be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alg {
    /// ECDSA on P-256: access tokens.
    Es256,
    /// RSASSA-PKCS1-v1_5 with 2048 bits: ID tokens by default, as OIDC Discovery asks.
    Rs256,
    /// Ed25519, by registration.
    EdDsa,
}

impl Alg {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Es256, Self::Rs256, Self::EdDsa];

    /// As in `alg` (RFC 7518, RFC 8037).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }
}

enum Ready {
    Ec(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
    Ed(Ed25519KeyPair),
}

/// A private key that signs, with its public half.
pub struct SigningKey {
    alg: Alg,
    kid: String,
    public_jwk: Value,
    ready: Ready,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("alg", &self.alg)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// Ours or the operator's: a stored key is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("a {alg} key can't be used: {why}")]
pub struct BadKey {
    alg: &'static str,
    why: String,
}

impl SigningKey {
    /// Makes a new private key: PKCS#8 DER. RSA takes about a second: call it off the runtime.
    pub fn generate(alg: Alg) -> Zeroizing<Vec<u8>> {
        let random = randomness();
        match alg {
            Alg::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                .map(|der| Zeroizing::new(der.as_ref().to_vec()))
                .expect("the operating system gives randomness"),
            Alg::EdDsa => Ed25519KeyPair::generate_pkcs8(&random)
                .map(|der| Zeroizing::new(der.as_ref().to_vec()))
                .expect("the operating system gives randomness"),
            // Key generation only: all private-key operations go through ring, so the timing of
            // RUSTSEC-2023-0071 is never on the wire.
            Alg::Rs256 => {
                use rsa::pkcs8::EncodePrivateKey as _;
                let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048)
                    .expect("2048 bits are a size that rsa makes");
                let der = key.to_pkcs8_der().expect("a fresh key has an encoding");
                Zeroizing::new(der.as_bytes().to_vec())
            }
        }
    }

    /// Parses a private key and names it by its thumbprint (RFC 7638).
    pub fn parse(alg: Alg, pkcs8: &[u8]) -> Result<Self, BadKey> {
        let bad = |why: String| BadKey {
            alg: alg.name(),
            why,
        };
        let rejected = |e: ring::error::KeyRejected| bad(e.to_string());
        let (ready, mut public_jwk) = match alg {
            Alg::Es256 => {
                let random = randomness();
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random)
                        .map_err(rejected)?;
                let point = pair.public_key().as_ref();
                let (x, y) = (b64(&point[1..33]), b64(&point[33..65]));
                (
                    Ready::Ec(pair),
                    json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y }),
                )
            }
            Alg::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(rejected)?;
                let x = b64(pair.public_key().as_ref());
                (
                    Ready::Ed(pair),
                    json!({ "crv": "Ed25519", "kty": "OKP", "x": x }),
                )
            }
            Alg::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(rejected)?;
                let parts = signature::RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                let jwk = json!({ "e": b64(&parts.e), "kty": "RSA", "n": b64(&parts.n) });
                (Ready::Rsa(Box::new(pair)), jwk)
            }
        };
        // serde_json keeps an object's members in lexical order, which is RFC 7638 §3's.
        let kid = b64(digest(&SHA256, public_jwk.to_string().as_bytes()).as_ref());
        public_jwk["kid"] = kid.clone().into();
        public_jwk["use"] = "sig".into();
        public_jwk["alg"] = alg.name().into();
        Ok(Self {
            alg,
            kid,
            public_jwk,
            ready,
        })
    }

    /// Which algorithm it signs with, and no other.
    pub const fn alg(&self) -> Alg {
        self.alg
    }

    /// Its name: the thumbprint of its public half.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, as it is published.
    pub const fn public_jwk(&self) -> &Value {
        &self.public_jwk
    }

    /// The raw signature over `message`, in JWS form.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.ready {
            Ready::Ec(pair) => pair
                .sign(&randomness(), message)
                .expect("the operating system gives randomness")
                .as_ref()
                .to_vec(),
            Ready::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Ready::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(
                    &signature::RSA_PKCS1_SHA256,
                    &randomness(),
                    message,
                    &mut signature,
                )
                .expect("the buffer has the modulus' length");
                signature
            }
        }
    }

    /// Whether `signature` is this key's over `message`: the self-test, and hints given back.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let (algorithm, public): (&dyn signature::VerificationAlgorithm, Vec<u8>) =
            match &self.ready {
                Ready::Ec(pair) => (
                    &signature::ECDSA_P256_SHA256_FIXED,
                    pair.public_key().as_ref().to_vec(),
                ),
                Ready::Ed(pair) => (&signature::ED25519, pair.public_key().as_ref().to_vec()),
                Ready::Rsa(pair) => (
                    &signature::RSA_PKCS1_2048_8192_SHA256,
                    pair.public_key().as_ref().to_vec(),
                ),
            };
        signature::VerificationAlgorithm::verify(
            algorithm,
            public.as_slice().into(),
            message.into(),
            signature.into(),
        )
        .is_ok()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "ring takes no other source for signatures"
)]
fn randomness() -> SystemRandom {
    SystemRandom::new()
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_algorithm_signs_what_it_verifies_and_publishes_nothing_private() {
        for alg in Alg::ALL {
            let key = SigningKey::parse(alg, &SigningKey::generate(alg)).expect("just made");
            let signature = key.sign(b"message");
            assert!(key.verifies(b"message", &signature));
            assert!(!key.verifies(b"massage", &signature));
            let members: Vec<_> = key
                .public_jwk()
                .as_object()
                .expect("an object")
                .keys()
                .collect();
            let public = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];
            assert!(
                members.iter().all(|m| public.contains(&m.as_str())),
                "JWT-19: {members:?}"
            );
        }
    }
}
