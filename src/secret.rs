//! Data keys, the working keys derived from identity's, and keyed digests of bearer values.
//!
//! Only digests and ciphertext reach the database (design §5, §9). A digest covers the secret *and*
//! what its row binds, so a row planted by an injected INSERT never matches.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{aead, hkdf, hmac};
use secrecy::{ExposeSecret as _, SecretBox};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::env::Env;
use crate::keys::KeyWrap;

/// 32 random bytes from which the keys of one use each are derived. Stored wrapped under the master
/// key: one for identity, one for each clinic.
pub struct DataKey {
    root: SecretBox<[u8; 32]>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(***)")
    }
}

impl DataKey {
    /// A fresh one.
    pub fn random(env: &Env) -> Self {
        Self::from_bytes(env.random_bytes())
    }

    /// From its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self {
            root: SecretBox::new(Box::new(bytes)),
        }
    }

    /// From bytes that were unwrapped; `None` if they are not 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }

    /// Its bytes, to be wrapped.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.root.expose_secret()
    }

    /// A key for one use, by HKDF-Expand with SHA-256 (RFC 5869 §2.3).
    pub fn derive(&self, label: &str) -> SecretBox<[u8; 32]> {
        let mut derived = Box::new([0; 32]);
        hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, self.root.expose_secret())
            .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(derived.as_mut()))
            .expect("32 bytes are within HKDF's bound");
        SecretBox::new(derived)
    }
}

/// AES-256-GCM for values that each belong to one place: nonce first, tag last.
pub(crate) struct Sealing(aead::LessSafeKey);

impl Sealing {
    pub(crate) fn new(key: &SecretBox<[u8; 32]>) -> Self {
        let key = aead::UnboundKey::new(&aead::AES_256_GCM, key.expose_secret())
            .expect("32 bytes are a key of AES-256-GCM");
        Self(aead::LessSafeKey::new(key))
    }

    /// Encrypts `plain` for `place` alone.
    pub(crate) fn seal(&self, env: &Env, place: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; 12] = env.random_bytes();
        let mut sealed = plain.to_vec();
        self.0
            .seal_in_place_append_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(place.as_bytes()),
                &mut sealed,
            )
            .expect("the plain text is far below GCM's bound");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what [`Sealing::seal`] made; `None` if it is for another place, key, or was changed.
    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_at_checked(12)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = Zeroizing::new(body.to_vec());
        let opened = self
            .0
            .open_in_place(nonce, aead::Aad::from(place.as_bytes()), &mut body)
            .ok()?;
        let length = opened.len();
        body.truncate(length);
        Some(body)
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

/// The server's working keys, each derived from identity's data key for one use, and the keeper of
/// the master key for what is wrapped under that.
pub struct Keys {
    digest: hmac::Key,
    lasting: hmac::Key,
    locator: hmac::Key,
    csrf: hmac::Key,
    audit: hmac::Key,
    jti: hmac::Key,
    sealing: Sealing,
    successor: SecretBox<[u8; 32]>,
    master: Arc<dyn KeyWrap>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(***)")
    }
}

impl Keys {
    /// Derives them all.
    ///
    /// - `epoch`: how often the database was restored, plus one. What is presented once or for a
    ///   while is digested under a key of its epoch: whatever a restore brings back is void.
    pub fn of(root: &DataKey, epoch: i32, master: Arc<dyn KeyWrap>) -> Self {
        let mac =
            |label: &str| hmac::Key::new(hmac::HMAC_SHA256, root.derive(label).expose_secret());
        let digest = match epoch {
            1 => mac("digest"),
            later => mac(&format!("digest, epoch {later}")),
        };
        Self {
            digest,
            lasting: mac("digest"),
            locator: mac("locator"),
            csrf: mac("csrf"),
            audit: mac("audit"),
            jti: mac("jti"),
            sealing: Sealing::new(&root.derive("wrap")),
            successor: root.derive("successor"),
            master,
        }
    }

    /// The keeper of the master key.
    pub fn master(&self) -> &dyn KeyWrap {
        self.master.as_ref()
    }

    /// The digest of a secret bound to `bound`, each part length-prefixed so that none can run
    /// into the next. `purpose` keeps a code from ever being a session.
    ///
    /// It ends with the epoch: for what a restored database may not bring back.
    pub fn digest(&self, purpose: &str, secret: &[u8], bound: &[&[u8]]) -> KeyedDigest {
        KeyedDigest(keyed(&self.digest, purpose, secret, bound))
    }

    /// The same for what outlives a restore: a registered secret, a place that is known.
    pub fn lasting_digest(&self, purpose: &str, secret: &[u8], bound: &[&[u8]]) -> KeyedDigest {
        KeyedDigest(keyed(&self.lasting, purpose, secret, bound))
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

    /// Encrypts `plain` for one column of one row.
    pub fn wrap(&self, env: &Env, place: &str, plain: &[u8]) -> Vec<u8> {
        self.sealing.seal(env, place, plain)
    }

    /// Opens what [`Keys::wrap`] made; `None` if it is for another place, key, or was changed.
    pub fn unwrap(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.sealing.open(place, sealed)
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
    use crate::keys::{MasterKey, MasterKeys};

    fn keys(epoch: i32) -> Keys {
        let master = MasterKeys::only(MasterKey::from_bytes([7; 32]));
        Keys::of(&DataKey::from_bytes([7; 32]), epoch, Arc::new(master))
    }

    #[test]
    fn what_is_digested_ends_with_its_epoch_unless_it_lasts() {
        let digest = |epoch| keys(epoch).digest("session", b"secret", &[]);
        let lasting = |epoch| keys(epoch).lasting_digest("client_secret", b"secret", &[]);
        assert!(digest(1).matches(digest(1).as_bytes()));
        assert!(!digest(1).matches(digest(2).as_bytes()));
        assert!(!digest(2).matches(digest(3).as_bytes()));
        assert!(lasting(1).matches(lasting(3).as_bytes()));
    }

    #[test]
    fn a_wrapped_value_opens_only_in_its_own_place() {
        let keys = keys(1);
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
        let keys = keys(1);
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
