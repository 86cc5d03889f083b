//! The sealed copy of a successor: how a lost answer is given again (design §5 rule 4).
//!
//! The key is derived from the presented token's secret *and* a key of the server: the database
//! alone opens nothing, nor do the database and an old token without the server's key, nor the
//! database and the server's key without the token. The server's keys have ids, so that one that
//! was rotated away still opens what it sealed.

use ring::aead::{self, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use secrecy::{ExposeSecret as _, SecretBox};
use zeroize::Zeroizing;

use super::model::Generation;
use super::refresh_token::RefreshTokenSecret;
use crate::env::Entropy;
use crate::ids::{FamilyId, TenantId};

/// Names one of the server's seal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealKeyId(pub i32);

/// One of the server's seal keys: 256 random bits, kept outside the database.
#[derive(Debug)]
pub struct SealKey {
    id: SealKeyId,
    secret: SecretBox<[u8; 32]>,
}

impl SealKey {
    /// Takes over 256 random bits.
    pub const fn new(id: SealKeyId, secret: SecretBox<[u8; 32]>) -> Self {
        Self { id, secret }
    }
}

/// The server's seal keys: one that seals, and the earlier ones that may still have to open.
#[derive(Debug)]
pub struct SealKeys {
    current: SealKey,
    earlier: Vec<SealKey>,
}

/// A sealed successor as its columns hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSuccessor {
    /// Which key of the server sealed it.
    pub key_id: SealKeyId,
    /// Nonce (12 bytes), ciphertext (32), tag (16).
    pub bytes: Vec<u8>,
}

/// What a sealed copy is for; altered, it does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealContext {
    /// The tenant.
    pub tenant: TenantId,
    /// The family.
    pub family: FamilyId,
    /// The generation of the successor.
    pub generation: Generation,
}

/// Why a sealed copy did not open. The operator's business in the first case, an alarm in the
/// second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The server no longer has that key.
    #[error("the key that sealed the successor is not configured")]
    UnknownKey,
    /// Altered, moved from another row, or not sealed for this token.
    #[error("the sealed successor does not open with this token")]
    NotAuthentic,
}

impl SealKeys {
    /// `current` seals from now on; `earlier` only open.
    pub const fn new(current: SealKey, earlier: Vec<SealKey>) -> Self {
        Self { current, earlier }
    }

    /// Seals `successor` so that only who shows `presented` again can be given it.
    pub fn seal(
        &self,
        entropy: &dyn Entropy,
        context: &SealContext,
        presented: &RefreshTokenSecret,
        successor: &RefreshTokenSecret,
    ) -> SealedSuccessor {
        let key = derive(&self.current, presented);
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut bytes = nonce.to_vec();
        // Encrypted where it stands: `sealed` is never plain text in memory that is not wiped.
        let mut sealed = Zeroizing::new(*successor.expose());
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                associated_data(context, self.current.id),
                sealed.as_mut_slice(),
            )
            .expect("32 bytes are far below the limit of AES-GCM");
        bytes.extend_from_slice(sealed.as_slice());
        bytes.extend_from_slice(tag.as_ref());
        SealedSuccessor {
            key_id: self.current.id,
            bytes,
        }
    }

    /// Opens what [`seal`](Self::seal) sealed.
    ///
    /// # Errors
    /// [`UnsealError`]; nothing is learned about the successor then.
    pub fn open(
        &self,
        context: &SealContext,
        presented: &RefreshTokenSecret,
        sealed: &SealedSuccessor,
    ) -> Result<RefreshTokenSecret, UnsealError> {
        let key = std::iter::once(&self.current)
            .chain(&self.earlier)
            .find(|key| key.id == sealed.key_id)
            .ok_or(UnsealError::UnknownKey)?;
        let (nonce, ciphertext) = sealed
            .bytes
            .split_first_chunk()
            .ok_or(UnsealError::NotAuthentic)?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let opened = derive(key, presented)
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                associated_data(context, key.id),
                plain.as_mut_slice(),
            )
            .map_err(|_| UnsealError::NotAuthentic)?;
        RefreshTokenSecret::from_slice(opened).ok_or(UnsealError::NotAuthentic)
    }
}

/// HKDF-SHA-256 (RFC 5869): the server's key is the salt, the token's secret the keying material,
/// so whoever lacks either knows nothing of the result.
fn derive(key: &SealKey, presented: &RefreshTokenSecret) -> LessSafeKey {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, key.secret.expose_secret());
    let pseudo_random_key = salt.extract(presented.expose());
    let unbound: UnboundKey = pseudo_random_key
        .expand(&[b"lanyard refresh successor v1"], &aead::AES_256_GCM)
        .expect("one key is within what HKDF can expand to")
        .into();
    LessSafeKey::new(unbound)
}

fn associated_data(context: &SealContext, key_id: SealKeyId) -> Aad<[u8; 40]> {
    let mut data = [0; 40];
    data[..16].copy_from_slice(context.tenant.as_uuid().as_bytes());
    data[16..32].copy_from_slice(context.family.as_uuid().as_bytes());
    data[32..36].copy_from_slice(&context.generation.0.to_be_bytes());
    data[36..].copy_from_slice(&key_id.0.to_be_bytes());
    Aad::from(data)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use uuid::Uuid;

    use super::*;

    /// Counts up: no two draws are the same.
    struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, dest: &mut [u8]) {
            dest.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn key(id: i32, byte: u8) -> SealKey {
        SealKey::new(SealKeyId(id), SecretBox::new(Box::new([byte; 32])))
    }

    fn secret(byte: u8) -> RefreshTokenSecret {
        RefreshTokenSecret::from_slice(&[byte; 32]).expect("32 bytes")
    }

    fn context() -> SealContext {
        SealContext {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            family: FamilyId::from_uuid(Uuid::from_u128(2)),
            generation: Generation(3),
        }
    }

    fn seal_with(keys: &SealKeys) -> SealedSuccessor {
        keys.seal(
            &Counting(AtomicU8::new(0)),
            &context(),
            &secret(1),
            &secret(2),
        )
    }

    #[test]
    fn the_same_token_opens_the_same_successor_again_and_again() {
        let keys = SealKeys::new(key(1, 7), vec![]);
        let sealed = seal_with(&keys);
        for _ in 0..2 {
            let opened = keys.open(&context(), &secret(1), &sealed).expect("opens");
            assert_eq!(opened.expose(), secret(2).expose());
        }
    }

    #[test]
    fn a_key_rotated_between_answer_and_retry_still_opens() {
        let sealed = seal_with(&SealKeys::new(key(1, 7), vec![]));
        let rotated = SealKeys::new(key(3, 9), vec![key(2, 8), key(1, 7)]);
        let opened = rotated
            .open(&context(), &secret(1), &sealed)
            .expect("opens");
        assert_eq!(opened.expose(), secret(2).expose());
        assert_eq!(
            seal_with(&rotated).key_id,
            SealKeyId(3),
            "the newest one seals"
        );
    }

    #[test]
    fn a_key_that_is_gone_is_told_from_a_forgery() {
        let sealed = seal_with(&SealKeys::new(key(1, 7), vec![]));
        let others = SealKeys::new(key(2, 8), vec![]);
        assert_eq!(
            others.open(&context(), &secret(1), &sealed).err(),
            Some(UnsealError::UnknownKey)
        );
        let impostor = SealKeys::new(key(1, 8), vec![]);
        assert_eq!(
            impostor.open(&context(), &secret(1), &sealed).err(),
            Some(UnsealError::NotAuthentic)
        );
    }

    #[test]
    fn every_part_of_the_context_is_bound() {
        let keys = SealKeys::new(key(1, 7), vec![key(2, 7)]);
        let sealed = seal_with(&keys);
        let other = Uuid::from_u128(9);
        let contexts = [
            SealContext {
                tenant: TenantId::from_uuid(other),
                ..context()
            },
            SealContext {
                family: FamilyId::from_uuid(other),
                ..context()
            },
            SealContext {
                generation: Generation(4),
                ..context()
            },
        ];
        for context in contexts {
            let opened = keys.open(&context, &secret(1), &sealed);
            assert_eq!(opened.err(), Some(UnsealError::NotAuthentic), "{context:?}");
        }
        let other_id = SealedSuccessor {
            key_id: SealKeyId(2),
            ..sealed.clone()
        };
        let opened = keys.open(&context(), &secret(1), &other_id);
        assert_eq!(
            opened.err(),
            Some(UnsealError::NotAuthentic),
            "another key id"
        );
        let opened = keys.open(&context(), &secret(3), &sealed);
        assert_eq!(
            opened.err(),
            Some(UnsealError::NotAuthentic),
            "another token"
        );
    }

    #[test]
    fn a_bit_flipped_or_a_byte_missing_does_not_open() {
        let keys = SealKeys::new(key(1, 7), vec![]);
        let sealed = seal_with(&keys);
        assert_eq!(sealed.bytes.len(), 12 + 32 + 16);
        for at in 0..sealed.bytes.len() {
            let mut bent = sealed.clone();
            bent.bytes[at] ^= 1;
            let opened = keys.open(&context(), &secret(1), &bent);
            assert_eq!(opened.err(), Some(UnsealError::NotAuthentic), "byte {at}");
            let mut cut = sealed.clone();
            cut.bytes.truncate(at);
            let opened = keys.open(&context(), &secret(1), &cut);
            assert_eq!(opened.err(), Some(UnsealError::NotAuthentic), "cut at {at}");
        }
    }

    #[test]
    fn sealing_twice_gives_two_ciphertexts_and_neither_shows_the_secret() {
        let keys = SealKeys::new(key(1, 7), vec![]);
        let entropy = Counting(AtomicU8::new(0));
        let one = keys.seal(&entropy, &context(), &secret(1), &secret(2));
        let two = keys.seal(&entropy, &context(), &secret(1), &secret(2));
        assert_ne!(one.bytes, two.bytes);
        assert!(!format!("{keys:?}").contains("7, 7"));
        assert!(one.bytes.windows(4).all(|window| window != [2; 4]));
    }
}
