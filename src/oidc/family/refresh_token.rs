//! The refresh token on the wire, and the digest that the database keeps in its place.
//!
//! `lrt_` and base64url without padding of 68 bytes: tenant (16), family (16), generation (4, big
//! endian), secret (32). The prefix is for secret scanners. Tenant and family stand in clear so
//! that the right tenant's transaction can open before any look-up: forged, they only make the
//! secret unknown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::model::{Family, Generation};
use crate::env::Entropy;
use crate::ids::{AccountId, ClientId, FamilyId, TenantId};
use crate::secret::{KeyedDigest, Keys};

/// What each refresh token begins with.
pub const PREFIX: &str = "lrt_";

const DECODED_LENGTH: usize = 16 + 16 + 4 + RefreshTokenSecret::LENGTH;
const ENCODED_LENGTH: usize = 91;

/// The unguessable part: 256 bits. Never shown by `Debug`, wiped when dropped.
#[derive(Debug)]
pub struct RefreshTokenSecret(SecretBox<[u8; Self::LENGTH]>);

impl RefreshTokenSecret {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// Draws a new one.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        Self(SecretBox::init_with_mut(
            |bytes: &mut [u8; Self::LENGTH]| entropy.fill(bytes),
        ))
    }

    /// Takes over bytes; `None` if there are not 32 of them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == Self::LENGTH).then(|| {
            Self(SecretBox::init_with_mut(|own: &mut [u8; Self::LENGTH]| {
                own.copy_from_slice(bytes);
            }))
        })
    }

    pub(super) fn expose(&self) -> &[u8; Self::LENGTH] {
        self.0.expose_secret()
    }
}

/// A refresh token as somebody holds it. Parsed is not trusted.
#[derive(Debug)]
pub struct PresentedRefreshToken {
    tenant: TenantId,
    family: FamilyId,
    generation: Generation,
    secret: RefreshTokenSecret,
}

impl PresentedRefreshToken {
    /// Joins the parts of a token to be given out.
    pub const fn new(
        tenant: TenantId,
        family: FamilyId,
        generation: Generation,
        secret: RefreshTokenSecret,
    ) -> Self {
        Self {
            tenant,
            family,
            generation,
            secret,
        }
    }

    /// Reads the wire form. `None` for anything that [`expose`](Self::expose) would not have
    /// written: another prefix, length or alphabet, padding, white space, loose bits at the end.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        if encoded.len() != ENCODED_LENGTH {
            return None;
        }
        let mut bytes = Zeroizing::new([0; DECODED_LENGTH + 2]);
        let length = URL_SAFE_NO_PAD
            .decode_slice(encoded, bytes.as_mut_slice())
            .ok()?;
        let (tenant, rest) = bytes.get(..length)?.split_first_chunk()?;
        let (family, rest) = rest.split_first_chunk()?;
        let (generation, secret) = rest.split_first_chunk()?;
        Some(Self {
            tenant: TenantId::from_uuid(Uuid::from_bytes(*tenant)),
            family: FamilyId::from_uuid(Uuid::from_bytes(*family)),
            generation: Generation(u32::from_be_bytes(*generation)),
            secret: RefreshTokenSecret::from_slice(secret)?,
        })
    }

    /// The tenant that it names, unproven.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The family that it names, unproven.
    pub const fn family(&self) -> FamilyId {
        self.family
    }

    /// The generation that it names, unproven.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Its secret part.
    pub const fn secret(&self) -> &RefreshTokenSecret {
        &self.secret
    }

    /// The wire form, 95 characters: for the token response and nothing else.
    pub fn expose(&self) -> SecretString {
        let mut bytes = Zeroizing::new(Vec::with_capacity(DECODED_LENGTH));
        bytes.extend_from_slice(self.tenant.as_uuid().as_bytes());
        bytes.extend_from_slice(self.family.as_uuid().as_bytes());
        bytes.extend_from_slice(&self.generation.0.to_be_bytes());
        bytes.extend_from_slice(self.secret.expose());
        let mut text = String::with_capacity(PREFIX.len() + ENCODED_LENGTH);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        SecretString::from(text)
    }
}

/// What a token's row binds, and its digest vouches for: a row planted by an injected INSERT, or
/// one whose account or end was altered, matches no token.
#[derive(Clone, Copy, Debug)]
pub struct DigestBinding<'a> {
    /// The tenant.
    pub tenant: TenantId,
    /// The family.
    pub family: FamilyId,
    /// The generation of the token itself.
    pub generation: Generation,
    /// The person.
    pub account: AccountId,
    /// The client.
    pub client: &'a ClientId,
    /// The family's absolute end; counts in whole microseconds, as the database keeps it.
    pub absolute_end_at: OffsetDateTime,
}

impl<'a> DigestBinding<'a> {
    /// What `family`'s row binds for one of its generations.
    pub const fn of(family: &'a Family, generation: Generation) -> Self {
        Self {
            tenant: family.tenant,
            family: family.id,
            generation,
            account: family.account,
            client: &family.client,
            absolute_end_at: family.absolute_end_at,
        }
    }
}

/// The digest to be stored for a token: over its secret and what its row binds.
pub fn digest(keys: &Keys, secret: &RefreshTokenSecret, bound: &DigestBinding<'_>) -> KeyedDigest {
    let end_microseconds = bound
        .absolute_end_at
        .unix_timestamp_nanos()
        .div_euclid(1000);
    keys.digest(
        "refresh token",
        secret.expose(),
        &[
            bound.tenant.as_uuid().as_bytes(),
            bound.family.as_uuid().as_bytes(),
            &bound.generation.0.to_be_bytes(),
            bound.account.as_uuid().as_bytes(),
            bound.client.as_str().as_bytes(),
            &end_microseconds.to_be_bytes(),
        ],
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::keys::{MasterKey, MasterKeys};
    use crate::secret::DataKey;

    fn token() -> PresentedRefreshToken {
        PresentedRefreshToken::new(
            TenantId::from_uuid(Uuid::from_u128(0x11)),
            FamilyId::from_uuid(Uuid::from_u128(0x22)),
            Generation(7),
            RefreshTokenSecret::from_slice(&[0xfe; 32]).expect("32 bytes"),
        )
    }

    #[test]
    fn what_is_written_is_read_back() {
        let wire = token().expose();
        let wire = wire.expose_secret();
        assert_eq!(wire.len(), PREFIX.len() + ENCODED_LENGTH);
        let read = PresentedRefreshToken::parse(wire).expect("our own format");
        assert_eq!(read.tenant(), token().tenant());
        assert_eq!(read.family(), token().family());
        assert_eq!(read.generation(), Generation(7));
        assert_eq!(read.secret().expose(), token().secret().expose());
        assert_eq!(read.expose().expose_secret(), wire);
    }

    #[test]
    fn a_token_has_exactly_one_spelling() {
        let wire = token().expose().expose_secret().to_owned();
        let body = &wire[PREFIX.len()..];
        let last = |c: char| format!("{}{c}", &wire[..wire.len() - 1]);
        let strange = [
            String::new(),
            PREFIX.to_owned(),
            body.to_owned(),
            format!("LRT_{body}"),
            format!("rt_{body}"),
            format!("{wire}="),
            format!("{wire}A"),
            format!(" {wire}"),
            format!("{wire}\n"),
            wire[..wire.len() - 1].to_owned(),
            wire.replace('_', "/"),
            last('*'),
            last('é'),
        ];
        for text in strange {
            assert!(
                PresentedRefreshToken::parse(&text).is_none(),
                "{text:?} was accepted"
            );
        }
        // 68 bytes leave four loose bits in the last character: only zeros will do.
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let same = alphabet
            .chars()
            .filter_map(|c| PresentedRefreshToken::parse(&last(c)))
            .filter(|read| read.secret().expose() == token().secret().expose())
            .count();
        assert_eq!(same, 1);
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", token());
        assert!(!shown.contains("254") && !shown.contains("fe, "), "{shown}");
    }

    #[test]
    fn a_digest_binds_every_column_of_its_row() {
        let master = Arc::new(MasterKeys::only(MasterKey::from_bytes([1; 32])));
        let keys = |byte| Keys::of(&DataKey::from_bytes([byte; 32]), 1, master.clone());
        let matches = |secret: &RefreshTokenSecret, bound: &DigestBinding<'_>, stored: &[u8]| {
            digest(&keys(3), secret, bound).matches(stored)
        };
        let secret = RefreshTokenSecret::from_slice(&[9; 32]).expect("32 bytes");
        let client = ClientId::parse("patient-app").expect("well formed");
        let other_client = ClientId::parse("patient-apq").expect("well formed");
        let bound = DigestBinding {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            family: FamilyId::from_uuid(Uuid::from_u128(2)),
            generation: Generation(3),
            account: AccountId::from_uuid(Uuid::from_u128(4)),
            client: &client,
            absolute_end_at: OffsetDateTime::UNIX_EPOCH,
        };
        let stored = digest(&keys(3), &secret, &bound);
        let stored = stored.as_bytes();
        let within_a_microsecond = time::Duration::nanoseconds(999);
        let same = DigestBinding {
            absolute_end_at: bound.absolute_end_at + within_a_microsecond,
            ..bound
        };
        assert!(matches(&secret, &bound, stored));
        assert!(
            matches(&secret, &same, stored),
            "the database keeps microseconds"
        );

        let later = bound.absolute_end_at + time::Duration::MICROSECOND;
        let altered = [
            DigestBinding {
                tenant: TenantId::from_uuid(Uuid::from_u128(9)),
                ..bound
            },
            DigestBinding {
                family: FamilyId::from_uuid(Uuid::from_u128(9)),
                ..bound
            },
            DigestBinding {
                generation: Generation(4),
                ..bound
            },
            DigestBinding {
                account: AccountId::from_uuid(Uuid::from_u128(9)),
                ..bound
            },
            DigestBinding {
                client: &other_client,
                ..bound
            },
            DigestBinding {
                absolute_end_at: later,
                ..bound
            },
        ];
        for other in altered {
            assert!(!matches(&secret, &other, stored), "{other:?}");
        }
        let other_secret = RefreshTokenSecret::from_slice(&[8; 32]).expect("32 bytes");
        assert!(!matches(&other_secret, &bound, stored));
        assert!(!digest(&keys(4), &secret, &bound).matches(stored));
        assert!(!matches(&secret, &bound, &stored[..31]));
        assert!(!matches(&secret, &bound, &[]));
    }
}
