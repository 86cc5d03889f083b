//! The master key, the keys derived from it, and keyed digests of bearer values.
//!
//! Only digests and ciphertext reach the database (design §5, §9). A digest covers the secret *and*
//! what its row binds, so a row planted by an injected INSERT never matches.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{aead, hkdf, hmac, pbkdf2};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use uuid::Uuid;

use crate::env::Env;

/// 32 random bytes in `keys/master.key`, base64; everything else is derived from or wrapped by it.
pub struct MasterKey {
    secret: SecretBox<[u8; 32]>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

/// The operator's: the master key file is not usable.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// No file, or it can't be read.
    #[error("{path} can't be read: make it with `lanyard keys init`")]
    Unreadable {
        /// Where it was looked for.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("{path} may be read by others: run `chmod 600 {path}`")]
    Exposed {
        /// Which file.
        path: String,
    },
    /// Not 32 bytes of base64.
    #[error("{path} holds no master key: it must be 32 random bytes in base64")]
    Malformed {
        /// Which file.
        path: String,
    },
}

impl MasterKey {
    /// A fresh one.
    pub fn random(env: &Env) -> Self {
        Self::from_bytes(env.random_bytes())
    }

    /// From its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self {
            secret: SecretBox::new(Box::new(bytes)),
        }
    }

    /// Reads the file and refuses one that others may read.
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        use std::os::unix::fs::PermissionsExt as _;
        let shown = path.display().to_string();
        let unreadable = |source| MasterKeyError::Unreadable {
            path: shown.clone(),
            source,
        };
        let mode = std::fs::metadata(path)
            .map_err(unreadable)?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Exposed { path: shown });
        }
        let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(unreadable)?);
        let bytes = zeroize::Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| {
            MasterKeyError::Malformed {
                path: shown.clone(),
            }
        })?);
        let key = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| MasterKeyError::Malformed { path: shown })?;
        Ok(Self::from_bytes(key))
    }

    /// The file's text.
    pub fn encoded(&self) -> SecretString {
        STANDARD.encode(self.secret.expose_secret()).into()
    }

    /// A key for one use, by HKDF-SHA-256 (RFC 5869).
    pub fn derive(&self, label: &str) -> SecretBox<[u8; 32]> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"lanyard");
        let label = [label.as_bytes()];
        let mut derived = Box::new([0; 32]);
        salt.extract(self.secret.expose_secret())
            .expand(&label, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(derived.as_mut()))
            .expect("32 bytes are within HKDF's bound");
        SecretBox::new(derived)
    }

    /// The password of one serving role, where roles log in with one.
    pub fn role_password(&self, role: &str) -> SecretString {
        let derived = self.derive(&format!("database login {role}"));
        URL_SAFE_NO_PAD.encode(derived.expose_secret()).into()
    }

    /// The SCRAM-SHA-256 verifier of that password, as Postgres stores it (RFC 5803), so that the
    /// password itself never stands in a statement.
    pub(crate) fn role_scram_verifier(&self, role: &str) -> SecretString {
        const ITERATIONS: u32 = 4096;
        let password = self.role_password(role);
        let salt = self.derive(&format!("database salt {role}"));
        let salt = &salt.expose_secret()[..16];
        let mut salted = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            ITERATIONS.try_into().expect("not zero"),
            salt,
            password.expose_secret().as_bytes(),
            &mut salted,
        );
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = ring::digest::digest(&ring::digest::SHA256, client_key.as_ref());
        let server_key = hmac::sign(&salted, b"Server Key");
        format!(
            "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
            STANDARD.encode(salt),
            STANDARD.encode(stored_key),
            STANDARD.encode(server_key)
        )
        .into()
    }
}

/// A keyed digest, 32 bytes: what the database keeps of a bearer value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyedDigest([u8; 32]);

impl fmt::Debug for KeyedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedDigest(***)")
    }
}

impl KeyedDigest {
    /// The bytes, for the database.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Compares with a stored digest in constant time.
    pub fn matches(&self, stored: &[u8]) -> bool {
        // Of keyed digests nothing can be learned byte by byte; still, in constant time.
        #[expect(
            deprecated,
            reason = "ring has no other constant-time comparison of slices"
        )]
        ring::constant_time::verify_slices_are_equal(&self.0, stored).is_ok()
    }
}

/// The server's working keys, each derived from the master key for one use.
pub struct Keys {
    digest: hmac::Key,
    locator: hmac::Key,
    csrf: hmac::Key,
    audit: hmac::Key,
    jti: hmac::Key,
    wrap: aead::LessSafeKey,
    successor: SecretBox<[u8; 32]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(***)")
    }
}

impl Keys {
    /// Derives them all.
    pub fn derive(master: &MasterKey) -> Self {
        let mac = |label| hmac::Key::new(hmac::HMAC_SHA256, master.derive(label).expose_secret());
        let wrap = aead::UnboundKey::new(&aead::AES_256_GCM, master.derive("wrap").expose_secret())
            .expect("32 bytes are a key of AES-256-GCM");
        Self {
            digest: mac("digest"),
            locator: mac("locator"),
            csrf: mac("csrf"),
            audit: mac("audit"),
            jti: mac("jti"),
            wrap: aead::LessSafeKey::new(wrap),
            successor: master.derive("successor"),
        }
    }

    /// The digest of a secret bound to `bound`, each part length-prefixed so that none can run
    /// into the next. `purpose` keeps a code from ever being a session.
    pub fn digest(&self, purpose: &str, secret: &[u8], bound: &[&[u8]]) -> KeyedDigest {
        KeyedDigest(keyed(&self.digest, purpose, secret, bound))
    }

    /// Where a typed or public name is found: 128 bits of a keyed digest, as a UUID.
    pub fn locator(&self, purpose: &str, name: &str) -> Uuid {
        let tag = keyed(&self.locator, purpose, name.as_bytes(), &[]);
        Uuid::from_slice(&tag[..16]).expect("16 bytes")
    }

    /// The token in a form, bound to the browser's cookie (base64url, 43 characters).
    pub fn csrf_token(&self, browser: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(keyed(&self.csrf, "form", browser, &[]))
    }

    /// Whether a form came from a page that we gave to this browser.
    pub fn csrf_matches(&self, browser: &[u8], presented: &str) -> bool {
        let Ok(presented) = URL_SAFE_NO_PAD.decode(presented) else {
            return false;
        };
        KeyedDigest(keyed(&self.csrf, "form", browser, &[])).matches(&presented)
    }

    /// The server's MAC over an audit event.
    pub fn audit_mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        keyed(&self.audit, "event", &[], parts)
    }

    /// The MAC in a `jti`: over what an activity report must repeat (design §4).
    pub fn jti_mac(&self, nonce: &[u8], bound: &[&[u8]]) -> [u8; 32] {
        keyed(&self.jti, "jti", nonce, bound)
    }

    /// The secret half of the key that seals refresh successors.
    pub fn successor_secret(&self) -> &SecretBox<[u8; 32]> {
        &self.successor
    }

    /// Encrypts `plain` for one column of one row (AES-256-GCM; nonce first, tag last).
    pub fn wrap(&self, env: &Env, place: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; 12] = env.random_bytes();
        let mut sealed = plain.to_vec();
        self.wrap
            .seal_in_place_append_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(place.as_bytes()),
                &mut sealed,
            )
            .expect("the plain text is far below GCM's bound");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what [`Keys::wrap`] made; `None` if it is for another place, key, or was changed.
    pub fn unwrap(&self, place: &str, sealed: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_at_checked(12)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = zeroize::Zeroizing::new(body.to_vec());
        let opened = self
            .wrap
            .open_in_place(nonce, aead::Aad::from(place.as_bytes()), &mut body)
            .ok()?;
        let length = opened.len();
        body.truncate(length);
        Some(body)
    }
}

fn keyed(key: &hmac::Key, purpose: &str, secret: &[u8], bound: &[&[u8]]) -> [u8; 32] {
    let mut mac = hmac::Context::with_key(key);
    for part in [purpose.as_bytes(), secret]
        .into_iter()
        .chain(bound.iter().copied())
    {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.sign()
        .as_ref()
        .try_into()
        .expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_value_opens_only_in_its_own_place() {
        let keys = Keys::derive(&MasterKey::from_bytes([7; 32]));
        let sealed = keys.wrap(&Env::system(), "identity.signing_key/a", b"private");
        assert_eq!(
            keys.unwrap("identity.signing_key/a", &sealed).as_deref(),
            Some(&b"private"[..].to_vec())
        );
        assert!(keys.unwrap("identity.signing_key/b", &sealed).is_none());
        let mut flipped = sealed;
        flipped[14] ^= 1;
        assert!(keys.unwrap("identity.signing_key/a", &flipped).is_none());
    }

    #[test]
    fn a_digest_depends_on_purpose_secret_and_each_bound_part() {
        let keys = Keys::derive(&MasterKey::from_bytes([7; 32]));
        let digest = keys.digest("code", b"secret", &[b"ab", b"c"]);
        assert!(digest.matches(keys.digest("code", b"secret", &[b"ab", b"c"]).as_bytes()));
        for other in [
            keys.digest("session", b"secret", &[b"ab", b"c"]),
            keys.digest("code", b"secreT", &[b"ab", b"c"]),
            keys.digest("code", b"secret", &[b"a", b"bc"]),
        ] {
            assert!(!digest.matches(other.as_bytes()));
        }
    }
}
