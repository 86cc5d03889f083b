//! One master key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use zeroize::Zeroizing;

use super::wrap::{WrapError, Wrapped};
use crate::env::Env;
use crate::secret::{DataKey, Sealing};

/// How many of a demo key's bytes say that it is one.
const DEMO_MARK: usize = 8;

/// 32 random bytes, base64 in a file of the keys folder. It wraps data keys and does nothing else.
pub struct MasterKey {
    secret: SecretBox<[u8; 32]>,
    id: String,
    sealing: Sealing,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

impl MasterKey {
    /// A fresh one.
    pub fn random(env: &Env) -> Self {
        Self::from_bytes(env.random_bytes())
    }

    /// A fresh one for a demo, which every server knows for such: 192 of its bits are random, the
    /// others follow from them.
    pub fn random_for_demo(env: &Env) -> Self {
        let mut bytes: [u8; 32] = env.random_bytes();
        let mark = demo_mark(&bytes);
        bytes[32 - DEMO_MARK..].copy_from_slice(&mark);
        Self::from_bytes(bytes)
    }

    /// From its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let secret = SecretBox::new(Box::new(bytes));
        // Not from the inherited key: whoever holds that opens nothing of what is wrapped.
        let root = extract(b"lanyard master key", &secret);
        let id = hex::encode(&root.derive("master key id").expose_secret()[..8]);
        let sealing = Sealing::new(&root.derive("master key wrap"));
        Self {
            secret,
            id,
            sealing,
        }
    }

    /// From the text of its file; `None` if that is no key.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        Some(Self::from_bytes(bytes.as_slice().try_into().ok()?))
    }

    /// The file's text.
    pub fn encoded(&self) -> SecretString {
        STANDARD.encode(self.secret.expose_secret()).into()
    }

    /// Its name in the rows that are under it: 16 hexadecimal digits, of which nothing follows.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it was made for a demo.
    pub fn is_demo(&self) -> bool {
        let bytes = self.secret.expose_secret();
        bytes[32 - DEMO_MARK..] == demo_mark(bytes)
    }

    /// Whether it was typed and not drawn: one byte over and over, a count, or plain text.
    pub fn is_guessable(&self) -> bool {
        let bytes = self.secret.expose_secret();
        let step = bytes[1].wrapping_sub(bytes[0]);
        bytes
            .windows(2)
            .all(|pair| pair[1].wrapping_sub(pair[0]) == step)
            || bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
            || bytes[..16] == bytes[16..]
    }

    /// Identity's data key in a database from before there were data keys.
    pub fn inherited(&self) -> DataKey {
        extract(b"lanyard", &self.secret)
    }

    /// Encrypts a key for its place.
    pub(super) fn wrap(&self, env: &Env, place: &str, plain: &[u8]) -> Wrapped {
        Wrapped {
            master: self.id.clone(),
            sealed: self.sealing.seal(env, place, plain),
        }
    }

    /// Opens what [`MasterKey::wrap`] made.
    pub(super) fn unwrap(
        &self,
        place: &str,
        wrapped: &Wrapped,
    ) -> Result<Zeroizing<Vec<u8>>, WrapError> {
        let opened = self.sealing.open(place, &wrapped.sealed);
        opened.ok_or_else(|| WrapError::Changed {
            place: place.to_owned(),
        })
    }
}

/// HKDF-Extract (RFC 5869 §2.2).
fn extract(salt: &[u8], secret: &SecretBox<[u8; 32]>) -> DataKey {
    let salt = hmac::Key::new(hmac::HMAC_SHA256, salt);
    let extracted = hmac::sign(&salt, secret.expose_secret());
    let bytes = extracted.as_ref().try_into();
    DataKey::from_bytes(bytes.expect("SHA-256 gives 32 bytes"))
}

fn demo_mark(bytes: &[u8; 32]) -> [u8; DEMO_MARK] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"a demo's master key");
    let mark = hmac::sign(&key, &bytes[..32 - DEMO_MARK]);
    mark.as_ref()[..DEMO_MARK].try_into().expect("8 of 32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demos_key_is_known_wherever_it_is_copied_to() {
        let env = Env::system();
        assert!(MasterKey::random_for_demo(&env).is_demo());
        assert!(!MasterKey::random(&env).is_demo());
        let copied = MasterKey::random_for_demo(&env).encoded();
        let copied = MasterKey::decode(copied.expose_secret()).expect("a key");
        assert!(copied.is_demo() && !copied.is_guessable());
    }

    /// CFG-01: what somebody typed, or copied from a page, is no key.
    #[test]
    fn a_key_that_was_not_drawn_is_known() {
        let mut count = [0; 32];
        for (at, byte) in count.iter_mut().enumerate() {
            *byte = u8::try_from(at).expect("32 bytes");
        }
        for guessable in [
            [0; 32],
            [42; 32],
            count,
            *b"correct horse battery staple 32!",
        ] {
            assert!(MasterKey::from_bytes(guessable).is_guessable());
        }
        assert!(!MasterKey::random(&Env::system()).is_guessable());
    }

    #[test]
    fn a_wrapped_key_opens_under_its_master_in_its_place_alone() {
        let (env, key) = (Env::system(), MasterKey::from_bytes([7; 32]));
        let wrapped = key.wrap(&env, "identity.data_key/1", b"secret");
        let opened = key
            .unwrap("identity.data_key/1", &wrapped)
            .expect("its own");
        assert_eq!(opened.as_slice(), b"secret");
        assert!(key.unwrap("identity.data_key/2", &wrapped).is_err());
        let other = MasterKey::from_bytes([8; 32]);
        assert!(other.unwrap("identity.data_key/1", &wrapped).is_err());
        assert_ne!(other.id(), key.id());
    }
}
