//! The issuer of the published corpus: fixed keys, a fixed instant, and every way to write a token.
//!
//! All of it is deterministic (ES256 after RFC 6979), so that the file can be made again.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lanyard_verifier::{Jwk, JwkSet};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use ring::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaKeyPair};

pub(crate) const ISSUER: &str = "https://id.lanyard.example";
pub(crate) const AUDIENCE: &str = "https://api.lanyard.example";
/// Unix seconds; in September 2026.
pub(crate) const NOW: i64 = 1_790_000_000;

const RSA_KEY: &[u8] = include_bytes!("../../../src/test_issuer/published-rsa-key.der");
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const ED25519_SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// An object whose values are JSON text as written, in the order of their names.
#[derive(Clone)]
pub(crate) struct Object(BTreeMap<String, String>);

impl Object {
    pub(crate) fn json(mut self, name: &str, json: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), json.into());
        self
    }

    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.json(name, format!("\"{text}\""))
    }

    pub(crate) fn number(self, name: &str, number: i64) -> Self {
        self.json(name, number.to_string())
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    pub(crate) fn render(&self) -> String {
        let members: Vec<String> = self
            .0
            .iter()
            .map(|(name, json)| format!("\"{name}\":{json}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

pub(crate) struct World {
    es: SigningKey,
    retired: SigningKey,
    stranger: SigningKey,
    ed: Ed25519KeyPair,
    rsa: RsaKeyPair,
}

impl World {
    pub(crate) fn new() -> Self {
        let p256 = |byte: u8| SigningKey::from_slice(&[byte; 32]).expect("a scalar in range");
        Self {
            es: p256(1),
            retired: p256(2),
            stranger: p256(3),
            ed: Ed25519KeyPair::from_seed_unchecked(&[4; 32]).expect("32 bytes"),
            rsa: RsaKeyPair::from_der(RSA_KEY).expect("the published key is whole"),
        }
    }

    pub(crate) fn jwks(&self) -> JwkSet {
        let (n, e) = self.rsa_numbers();
        let ed = self.ed.public_key().as_ref().try_into().expect("32 bytes");
        let keys = vec![
            Jwk::es256("es-1", &point(&self.es)),
            Jwk::ed_dsa("ed-1", ed),
            Jwk::rs256("rs-1", &n, &e),
        ];
        JwkSet {
            keys,
            max_age: None,
        }
    }

    // Parts of a good token.

    pub(crate) fn header() -> Object {
        Object(BTreeMap::new())
            .text("typ", "at+jwt")
            .text("alg", "ES256")
            .text("kid", "es-1")
    }

    pub(crate) fn claims() -> Object {
        Object(BTreeMap::new())
            .text("iss", ISSUER)
            .text("sub", "5b1e0000-0000-4000-8000-000000000001")
            .text("aud", AUDIENCE)
            .number("exp", NOW + 240)
            .number("iat", NOW - 60)
            .text("jti", "Zm9yZ2VkLXRva2Vucw")
            .text("client_id", "patient-app")
            .text("scope", "visits:read")
            .text("sid", "c2Vzc2lvbg")
            .number("auth_time", NOW - 600)
            .text("acr", "urn:lanyard:acr:pwd")
            .json("amr", "[\"pwd\"]")
            .text("tid", "7e5a0000-0000-4000-8000-00000000000a")
            .json("roles", "[\"patient\"]")
    }

    // Signatures.

    pub(crate) fn es(&self, input: &[u8]) -> Vec<u8> {
        sign_es(&self.es, input)
    }

    pub(crate) fn retired(&self, input: &[u8]) -> Vec<u8> {
        sign_es(&self.retired, input)
    }

    pub(crate) fn stranger(&self, input: &[u8]) -> Vec<u8> {
        sign_es(&self.stranger, input)
    }

    pub(crate) fn ed(&self, input: &[u8]) -> Vec<u8> {
        self.ed.sign(input).as_ref().to_vec()
    }

    pub(crate) fn rs256(&self, input: &[u8]) -> Vec<u8> {
        self.rsa(&RSA_PKCS1_SHA256, input)
    }

    pub(crate) fn rs512(&self, input: &[u8]) -> Vec<u8> {
        self.rsa(&RSA_PKCS1_SHA512, input)
    }

    fn rsa(&self, padding: &'static dyn ring::signature::RsaEncoding, input: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.rsa.public().modulus_len()];
        #[expect(
            clippy::disallowed_methods,
            reason = "PKCS #1 v1.5 signatures use none of it"
        )]
        let random = ring::rand::SystemRandom::new();
        self.rsa
            .sign(padding, &random, input, &mut signature)
            .expect("long enough");
        signature
    }

    // Public keys in every form that might be taken for a secret.

    pub(crate) fn es_spki(&self) -> Vec<u8> {
        [&P256_SPKI[..], &point(&self.es)].concat()
    }

    pub(crate) fn ed_spki(&self) -> Vec<u8> {
        [&ED25519_SPKI[..], self.ed.public_key().as_ref()].concat()
    }

    pub(crate) fn ed_public(&self) -> Vec<u8> {
        self.ed.public_key().as_ref().to_vec()
    }

    pub(crate) fn rsa_pkcs1(&self) -> Vec<u8> {
        self.rsa.public().as_ref().to_vec()
    }

    pub(crate) fn rsa_numbers(&self) -> (Vec<u8>, Vec<u8>) {
        let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        (public.n, public.e)
    }

    /// `{"crv":…}` of the issuer's ES256 key, or of the stranger's.
    pub(crate) fn jwk_text(&self, of_stranger: bool) -> String {
        let point = point(if of_stranger {
            &self.stranger
        } else {
            &self.es
        });
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
    }
}

/// Header and claims, signed by `sign`.
pub(crate) fn mint(
    header: &Object,
    claims: &Object,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    mint_raw(&header.render(), &claims.render(), sign)
}

/// The same from any text.
pub(crate) fn mint_raw(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let input = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims.as_bytes())
    );
    let signature = encode(&sign(input.as_bytes()));
    format!("{input}.{signature}")
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn sign_es(key: &SigningKey, input: &[u8]) -> Vec<u8> {
    let signature: Signature = key.sign(input);
    signature.to_bytes().to_vec()
}

fn point(key: &SigningKey) -> [u8; 65] {
    key.verifying_key()
        .to_sec1_point(false)
        .as_bytes()
        .try_into()
        .expect("65 bytes")
}
