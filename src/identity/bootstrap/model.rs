//! The secret as a value.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use time::{Duration, OffsetDateTime};

use crate::env::Env;
use crate::ids::{AccountId, SubjectId};

/// What secret scanners find it by.
const PREFIX: &str = "lbs_";

/// How long it is good for (attacks CFG-08).
pub const LIFETIME: Duration = Duration::hours(1);

/// `lbs_` and 43 characters: 256 random bits.
#[derive(Clone, Debug)]
pub struct BootstrapSecret(SecretString);

impl BootstrapSecret {
    /// A fresh one.
    pub(super) fn random(env: &Env) -> Self {
        let random = zeroize::Zeroizing::new(env.random_bytes::<32>());
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random.as_slice())).into())
    }

    /// Parses what was presented; `None` if it can't be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let body = text.strip_prefix(PREFIX)?;
        let is_ours = body.len() == 43
            && body
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        is_ours.then(|| Self(text.into()))
    }

    /// What the operator is shown, once.
    pub const fn secret(&self) -> &SecretString {
        &self.0
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

/// A secret as issued.
#[derive(Debug)]
pub struct IssuedBootstrap {
    /// Shown once.
    pub secret: BootstrapSecret,
    /// From then on it is refused.
    pub expires_at: OffsetDateTime,
}

/// What redeeming ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedeemOutcome {
    /// The administrator, as an account and as a member of the platform tenant.
    Redeemed(AccountId, SubjectId),
    /// Unknown, expired, used or replaced by a newer one: the caller can't tell.
    Refused,
    /// Somebody has that login; the secret is still good.
    LoginTaken,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_form_and_never_shown_by_accident() {
        let secret = BootstrapSecret::random(&Env::system());
        let text = secret.secret().expose_secret();
        assert!(BootstrapSecret::parse(&format!(" {text}\n")).is_some());
        assert!(!format!("{secret:?}").contains(&text[4..]));
        for other in [
            "",
            "lbs_",
            "lcs_0123456789012345678901234567890123456789012",
            &text[..46],
        ] {
            assert!(BootstrapSecret::parse(other).is_none(), "{other}");
        }
    }
}
