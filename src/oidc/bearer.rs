//! A bearer value that names its tenant and its row, so that the right transaction opens before any
//! look-up: a forged name only makes it unknown there.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::TenantId;

/// Tenant, row and 32 secret bytes; on the wire a prefix and base64url of the three.
pub(crate) struct Bearer {
    /// The tenant it names.
    pub(crate) tenant: TenantId,
    /// Which row.
    pub(crate) id: Uuid,
    secret: SecretBox<[u8; 32]>,
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Bearer {
    /// Of fresh random bytes, or of those that came in.
    pub(crate) fn new(tenant: TenantId, id: Uuid, secret: [u8; 32]) -> Self {
        Self {
            tenant,
            id,
            secret: SecretBox::new(Box::new(secret)),
        }
    }

    /// Parses one; `None` if it can't be one of ours.
    pub(crate) fn parse(prefix: &str, text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(prefix)?;
        let bytes = zeroize::Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let bytes: &[u8; 64] = bytes.as_slice().try_into().ok()?;
        Some(Self::new(
            TenantId::from_uuid(Uuid::from_slice(&bytes[..16]).ok()?),
            Uuid::from_slice(&bytes[16..32]).ok()?,
            bytes[32..].try_into().ok()?,
        ))
    }

    /// As it travels.
    pub(crate) fn value(&self, prefix: &str) -> SecretString {
        let named = [*self.tenant.as_uuid().as_bytes(), *self.id.as_bytes()].concat();
        let bytes = zeroize::Zeroizing::new([&named[..], self.expose()].concat());
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes.as_slice())).into()
    }

    /// Its secret half.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.secret.expose_secret()
    }
}

/// As Postgres keeps it, so that a digest over it can be made again.
pub(crate) fn whole_microsecond(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.microsecond() * 1000)
        .expect("microseconds are within a second")
}

/// The same as bytes that a digest takes.
pub(crate) fn microseconds(at: OffsetDateTime) -> [u8; 16] {
    (at.unix_timestamp_nanos() / 1000).to_be_bytes()
}
