//! Signing keys for tests.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};

use crate::jwk::Jwk;

/// Published with this crate, so worth nothing: ring can't make RSA keys.
const PUBLISHED_RSA_KEY: &[u8] = include_bytes!("published-rsa-key.der");

/// A key pair with its name.
pub struct TestKey {
    kid: String,
    pair: Pair,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl TestKey {
    /// A fresh P-256 key for ES256.
    pub fn es256(kid: impl Into<String>) -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random()).expect("random bytes");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random());
        Self {
            kid: kid.into(),
            pair: Pair::Es256(pair.expect("a key just made")),
        }
    }

    /// A fresh Ed25519 key for `EdDSA`.
    pub fn ed_dsa(kid: impl Into<String>) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&random()).expect("random bytes");
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref());
        Self {
            kid: kid.into(),
            pair: Pair::EdDsa(pair.expect("a key just made")),
        }
    }

    /// The RSA key for RS256 that is published with this crate: always the same one.
    pub fn published_rs256(kid: impl Into<String>) -> Self {
        let pair = RsaKeyPair::from_der(PUBLISHED_RSA_KEY).expect("the published key is whole");
        Self {
            kid: kid.into(),
            pair: Pair::Rs256(pair),
        }
    }

    /// The key's name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm it signs with.
    pub fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::EdDsa(_) => "EdDSA",
            Pair::Rs256(_) => "RS256",
        }
    }

    /// Its public half.
    pub fn jwk(&self) -> Jwk {
        match &self.pair {
            Pair::Es256(pair) => {
                let point = pair.public_key().as_ref().try_into().expect("65 bytes");
                Jwk::es256(&self.kid, point)
            }
            Pair::EdDsa(pair) => {
                let key = pair.public_key().as_ref().try_into().expect("32 bytes");
                Jwk::ed_dsa(&self.kid, key)
            }
            Pair::Rs256(pair) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                Jwk::rs256(&self.kid, &public.n, &public.e)
            }
        }
    }

    /// Signs, as RFC 7518 §3 writes signatures.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Es256(pair) => pair
                .sign(&random(), message)
                .expect("random bytes")
                .as_ref()
                .to_vec(),
            Pair::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random(), message, &mut signature)
                    .expect("the buffer is as long as the modulus");
                signature
            }
        }
    }
}

impl fmt::Debug for TestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestKey({}, {})", self.kid, self.alg())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "keys of tests; nothing depends on their value"
)]
fn random() -> SystemRandom {
    SystemRandom::new()
}
