//! The code's form, and what a row of it says.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use time::OffsetDateTime;

use crate::ids::{AccountId, ClientId, CodeId, FamilyId, SessionId, SubjectId, TenantId};
use crate::oidc::bearer::Bearer;

/// What secret scanners find our codes by.
const PREFIX: &str = "lac_";

/// A code as it came in: parsed, not trusted. `lac_` and base64url of tenant, id and 32 secret
/// bytes.
#[derive(Debug)]
pub struct PresentedCode {
    /// The tenant it names; a forged one only makes it unknown there.
    pub tenant: TenantId,
    /// Which row.
    pub id: CodeId,
    /// What it shows for it.
    pub(super) secret: CodeSecret,
}

/// 32 random bytes.
pub(super) struct CodeSecret(SecretBox<[u8; 32]>);

impl fmt::Debug for CodeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeSecret(***)")
    }
}

impl CodeSecret {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl PresentedCode {
    /// Parses a code; `None` if it can't be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bearer = Bearer::parse(PREFIX, text)?;
        Some(Self {
            tenant: bearer.tenant,
            id: CodeId::from_uuid(bearer.id),
            secret: CodeSecret::new(*bearer.expose()),
        })
    }

    /// The code as the client gets it.
    pub(super) fn encode(tenant: TenantId, id: CodeId, secret: &CodeSecret) -> SecretString {
        let bytes = *secret.0.expose_secret();
        Bearer::new(tenant, id.as_uuid(), bytes).value(PREFIX)
    }
}

/// All that a code stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCode {
    /// Which.
    pub id: CodeId,
    /// For which client.
    pub client: ClientId,
    /// In which session.
    pub session: SessionId,
    /// For whom, in the tenant.
    pub subject: SubjectId,
    /// For whom, on the platform.
    pub account: AccountId,
    /// Where it was sent, byte for byte.
    pub redirect_uri: String,
    /// The S256 challenge, if one was given.
    pub code_challenge: Option<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// What was asked for and may be had.
    pub scopes: Vec<String>,
    /// The `aud` of the access token.
    pub audience: String,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// What its first use gave, if it was used.
    pub family: Option<FamilyId>,
    /// When it was used, if it was.
    pub spent_at: Option<OffsetDateTime>,
}

impl IssuedCode {
    /// Why it can't be redeemed, unspent and by its client, if it can't.
    pub(crate) fn fault(
        &self,
        redirect_uri: Option<&str>,
        now: OffsetDateTime,
    ) -> Option<&'static str> {
        fault(self.expires_at, &self.redirect_uri, redirect_uri, now)
    }

    /// RFC 7636 §4.6.
    pub(crate) fn is_proved(&self, verifier: Option<&SecretString>) -> bool {
        let verifier = verifier.map(secrecy::ExposeSecret::expose_secret);
        is_proved(self.code_challenge.as_deref(), verifier)
    }
}

/// Why a code that is good until `expires_at` and was sent to `sent_to` can't be redeemed by who
/// says that it came to `redirect_uri`.
pub(crate) fn fault(
    expires_at: OffsetDateTime,
    sent_to: &str,
    redirect_uri: Option<&str>,
    now: OffsetDateTime,
) -> Option<&'static str> {
    if expires_at <= now {
        Some("expired")
    } else if redirect_uri != Some(sent_to) {
        Some("another redirect address")
    } else {
        None
    }
}

/// RFC 7636 §4.6; a verifier without a challenge is a downgrade (RFC 9700 §4.8.2).
pub(crate) fn is_proved(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            let is_shaped = (43..=128).contains(&verifier.len())
                && verifier
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
            let hashed = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            // The challenge is no secret, and its preimage can't be found byte by byte.
            is_shaped && hashed == challenge
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    #[test]
    fn the_verifier_of_the_standard_meets_its_challenge_and_no_other_does() {
        let challenge = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(is_proved(challenge, Some(verifier)));
        assert!(
            !is_proved(challenge, Some(&verifier[..42])),
            "TOK-05: 42 characters"
        );
        assert!(
            !is_proved(challenge, Some(&"a".repeat(129))),
            "TOK-05: 129 characters"
        );
        assert!(!is_proved(challenge, None));
        assert!(!is_proved(None, Some(verifier)), "TOK-05: unasked for");
    }
}
