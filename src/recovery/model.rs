//! A link as a value.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::env::Env;
use crate::ids::AccountId;
use crate::secret::{KeyedDigest, Keys};

/// How long a link is good.
pub const LIFETIME: Duration = Duration::minutes(15);

/// A link: which row it names, and the 32 random bytes that it shows for it.
pub struct RecoveryLink {
    /// Where its row is found.
    pub id: Uuid,
    secret: SecretBox<[u8; 32]>,
}

impl fmt::Debug for RecoveryLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryLink")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a link is bound to: another account, end, password or address makes it nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) account: AccountId,
    pub(super) expires_at: OffsetDateTime,
    pub(super) password_epoch: i32,
    pub(super) login_locator: Uuid,
}

impl RecoveryLink {
    /// A fresh one.
    pub(super) fn random(env: &Env) -> Self {
        Self {
            id: env.random_uuid(),
            secret: SecretBox::new(Box::new(env.random_bytes())),
        }
    }

    /// As it came in: parsed, not trusted.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = zeroize::Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let (id, secret) = bytes.split_at_checked(16)?;
        Some(Self {
            id: Uuid::from_slice(id).ok()?,
            secret: SecretBox::new(Box::new(secret.try_into().ok()?)),
        })
    }

    /// As it stands in the mail: base64url of the id and the secret, 64 characters.
    pub fn text(&self) -> SecretString {
        let bytes = [&self.id.as_bytes()[..], self.secret.expose_secret()].concat();
        URL_SAFE_NO_PAD
            .encode(zeroize::Zeroizing::new(bytes))
            .into()
    }

    /// What the database keeps of it.
    pub(super) fn digest(&self, keys: &Keys, bound: &Bound) -> KeyedDigest {
        let bound: [&[u8]; 5] = [
            self.id.as_bytes(),
            &bound.account.as_uuid().into_bytes(),
            &bound.expires_at.unix_timestamp().to_be_bytes(),
            &bound.password_epoch.to_be_bytes(),
            bound.login_locator.as_bytes(),
        ];
        keys.digest("password recovery", self.secret.expose_secret(), &bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{MasterKey, MasterKeys};
    use crate::secret::DataKey;

    #[test]
    fn a_link_is_64_characters_and_reads_back() {
        let link = RecoveryLink::random(&Env::system());
        let text = link.text();
        assert_eq!(text.expose_secret().len(), 64);
        let again = RecoveryLink::parse(text.expose_secret()).expect("ours");
        assert_eq!(again.id, link.id);
        assert_eq!(again.text().expose_secret(), text.expose_secret());
        for wrong in ["", "x", &text.expose_secret()[1..], "a b"] {
            assert!(RecoveryLink::parse(wrong).is_none(), "{wrong}");
        }
    }

    /// LOGIN-13: bound to all that it was made for.
    #[test]
    fn the_digest_depends_on_each_thing_that_it_is_bound_to() {
        let master = MasterKeys::only(MasterKey::from_bytes([7; 32]));
        let keys = Keys::of(
            &DataKey::from_bytes([7; 32]),
            1,
            std::sync::Arc::new(master),
        );
        let link = RecoveryLink::random(&Env::system());
        let bound = Bound {
            account: AccountId::from_uuid(Uuid::from_u128(1)),
            expires_at: OffsetDateTime::UNIX_EPOCH,
            password_epoch: 3,
            login_locator: Uuid::from_u128(2),
        };
        let kept = link.digest(&keys, &bound);
        assert!(kept.matches(link.digest(&keys, &bound).as_bytes()));
        for other in [
            Bound {
                account: AccountId::from_uuid(Uuid::from_u128(9)),
                ..bound
            },
            Bound {
                expires_at: bound.expires_at + Duration::SECOND,
                ..bound
            },
            Bound {
                password_epoch: 4,
                ..bound
            },
            Bound {
                login_locator: Uuid::from_u128(9),
                ..bound
            },
        ] {
            assert!(!kept.matches(link.digest(&keys, &other).as_bytes()));
        }
    }
}
