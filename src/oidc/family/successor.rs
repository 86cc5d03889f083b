//! The sealed copy of a successor: how a lost answer is given again (design §5 rule 4).
//!
//! The key is derived from the presented token's secret *and* a key of the server: the database
//! alone opens nothing, nor do the database and an old token without the server's key, nor the
//! database and the server's key without the token. The server's keys have ids and rotate daily;
//! one that seals no more still opens what it sealed.

use ring::aead::{self, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use secrecy::{ExposeSecret as _, SecretBox};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::model::Generation;
use super::refresh_token::RefreshTokenSecret;
use crate::ids::{FamilyId, TenantId};

/// Names one of the server's seal keys: the day, counted from 1970-01-01 UTC, on which it seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealKeyId(pub i32);

impl SealKeyId {
    /// The key that seals at `now`.
    pub fn at(now: OffsetDateTime) -> Self {
        let day = now.unix_timestamp().div_euclid(86_400);
        Self(i32::try_from(day).expect("the calendar's days fit in 32 bits"))
    }
}

/// The server's seal keys: one for each day, derived from one secret that lives outside the
/// database, so that a copy sealed before midnight opens after it.
#[derive(Clone, Copy, Debug)]
pub struct SealKeys<'a> {
    root: &'a SecretBox<[u8; 32]>,
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

/// The sealed copy does not open: altered, moved from another row, not sealed for this token, or
/// sealed by a server with another master key. Nothing is learned about the successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed successor does not open")]
pub struct NotAuthentic;

impl<'a> SealKeys<'a> {
    /// The keys of a server whose secret for them is `root`.
    pub const fn new(root: &'a SecretBox<[u8; 32]>) -> Self {
        Self { root }
    }

    /// Seals `successor` so that only who shows `presented` again can be given it.
    ///
    /// `nonce`: 12 unpredictable bytes, never used twice.
    pub fn seal(
        self,
        nonce: [u8; NONCE_LEN],
        key_id: SealKeyId,
        context: &SealContext,
        presented: &RefreshTokenSecret,
        successor: &RefreshTokenSecret,
    ) -> SealedSuccessor {
        // Encrypted where it stands: no plain text is left in memory that is not wiped.
        let mut body = Zeroizing::new(*successor.expose());
        let tag = self
            .key(key_id, presented)
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                associated_data(context, key_id),
                body.as_mut_slice(),
            )
            .expect("32 bytes are far below the limit of AES-GCM");
        let bytes = [nonce.as_slice(), body.as_slice(), tag.as_ref()].concat();
        SealedSuccessor { key_id, bytes }
    }

    /// Opens what [`seal`](Self::seal) sealed.
    ///
    /// # Errors
    /// [`NotAuthentic`].
    pub fn open(
        self,
        context: &SealContext,
        presented: &RefreshTokenSecret,
        sealed: &SealedSuccessor,
    ) -> Result<RefreshTokenSecret, NotAuthentic> {
        let (nonce, ciphertext) = sealed.bytes.split_first_chunk().ok_or(NotAuthentic)?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let opened = self
            .key(sealed.key_id, presented)
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                associated_data(context, sealed.key_id),
                plain.as_mut_slice(),
            )
            .map_err(|_| NotAuthentic)?;
        RefreshTokenSecret::from_slice(opened).ok_or(NotAuthentic)
    }

    /// HKDF-SHA-256 (RFC 5869), twice: the day's key from the server's secret, then the copy's key
    /// from that as salt and the token's secret as keying material. Who lacks either knows nothing.
    fn key(self, id: SealKeyId, presented: &RefreshTokenSecret) -> LessSafeKey {
        let mut day_key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"lanyard successor day key")
            .extract(self.root.expose_secret())
            .expand(&[&id.0.to_be_bytes()], hkdf::HKDF_SHA256)
            .and_then(|key| key.fill(day_key.as_mut_slice()))
            .expect("32 bytes are within what HKDF can expand to");
        let unbound: UnboundKey = hkdf::Salt::new(hkdf::HKDF_SHA256, day_key.as_slice())
            .extract(presented.expose())
            .expand(&[b"lanyard refresh successor v1"], &aead::AES_256_GCM)
            .expect("one key is within what HKDF can expand to")
            .into();
        LessSafeKey::new(unbound)
    }
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
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    const DAY: SealKeyId = SealKeyId(20_513);

    fn root(byte: u8) -> SecretBox<[u8; 32]> {
        SecretBox::new(Box::new([byte; 32]))
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

    fn sealed() -> SealedSuccessor {
        SealKeys::new(&root(7)).seal([5; 12], DAY, &context(), &secret(1), &secret(2))
    }

    #[test]
    fn the_same_token_opens_the_same_successor_again_and_again() {
        for _ in 0..2 {
            let opened = SealKeys::new(&root(7)).open(&context(), &secret(1), &sealed());
            assert_eq!(opened.expect("opens").expose(), secret(2).expose());
        }
    }

    #[test]
    fn each_day_has_its_own_key_and_an_earlier_one_still_opens() {
        let before = SealKeyId::at(datetime!(2026-03-01 23:59:59 UTC));
        let after = SealKeyId::at(datetime!(2026-03-02 00:00:00 UTC));
        assert_eq!(after.0, before.0 + 1);
        let root = root(7);
        let keys = SealKeys::new(&root);
        let seal = |key_id| keys.seal([5; 12], key_id, &context(), &secret(1), &secret(2));
        assert_ne!(seal(before).bytes, seal(after).bytes);
        let opened = keys
            .open(&context(), &secret(1), &seal(before))
            .expect("opens");
        assert_eq!(opened.expose(), secret(2).expose());
    }

    #[test]
    fn token_server_key_and_every_part_of_the_context_are_bound() {
        let root = root(7);
        let keys = SealKeys::new(&root);
        let open = |context: &SealContext, presented: u8, sealed: &SealedSuccessor| {
            keys.open(context, &secret(presented), sealed).err()
        };
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
            assert_eq!(
                open(&context, 1, &sealed()),
                Some(NotAuthentic),
                "{context:?}"
            );
        }
        let other_day = SealedSuccessor {
            key_id: SealKeyId(DAY.0 + 1),
            ..sealed()
        };
        assert_eq!(
            open(&context(), 1, &other_day),
            Some(NotAuthentic),
            "another day"
        );
        assert_eq!(
            open(&context(), 3, &sealed()),
            Some(NotAuthentic),
            "another token"
        );
        let other_root = self::root(8);
        let opened = SealKeys::new(&other_root).open(&context(), &secret(1), &sealed());
        assert_eq!(opened.err(), Some(NotAuthentic), "another server's secret");
    }

    #[test]
    fn a_bit_flipped_or_a_byte_missing_does_not_open() {
        let root = root(7);
        let keys = SealKeys::new(&root);
        assert_eq!(sealed().bytes.len(), 12 + 32 + 16);
        for at in 0..sealed().bytes.len() {
            let mut bent = sealed();
            bent.bytes[at] ^= 1;
            let opened = keys.open(&context(), &secret(1), &bent);
            assert_eq!(opened.err(), Some(NotAuthentic), "byte {at}");
            let mut cut = sealed();
            cut.bytes.truncate(at);
            let opened = keys.open(&context(), &secret(1), &cut);
            assert_eq!(opened.err(), Some(NotAuthentic), "cut at {at}");
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let root = root(7);
        assert!(!format!("{:?} {:?}", SealKeys::new(&root), sealed()).contains("7, 7"));
        assert!(sealed().bytes.windows(4).all(|window| window != [2; 4]));
    }
}
