//! Our own ID tokens, given back as a hint: an expired one is good (OIDC RP-Initiated Logout §2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use crate::app::App;
use crate::ids::{ClientId, TenantId, TenantSessionId};
use crate::signing::{self, TokenType};

/// What a hint of ours says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Whose clinic.
    pub tenant: TenantId,
    /// Who, there.
    pub subject: Uuid,
    /// In which session.
    pub sid: TenantSessionId,
    /// For which client it was made.
    pub client: ClientId,
    /// Whether somebody acts as her in it: then `sid` is the grant, and no session of hers or of
    /// the actor's.
    pub is_acting: bool,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: Uuid,
    aud: String,
    sid: TenantSessionId,
    tid: TenantId,
    /// Whatever its shape.
    act: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Acting {
    iss: String,
    #[serde(rename = "act")]
    _act: IgnoredAny,
}

/// Whether a text that [`read`] does not take says that it is an ID token of ours under `act`:
/// forged, or signed by a key that is published no more. Nothing of it is believed, but that nobody
/// who is signed in here is meant by it.
pub fn says_somebody_acts(app: &App, token: &str) -> bool {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let payload = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    serde_json::from_slice(&payload).is_ok_and(|Acting { iss, .. }| iss == app.issuer())
}

/// Reads a hint; `None` unless one of our published keys signed it as an ID token of ours.
pub fn read(app: &App, token: &str) -> Option<Hint> {
    let claims: Claims = signing::open(&app.ring(), TokenType::IdToken, token)?;
    (claims.iss == app.issuer()).then_some(Hint {
        tenant: claims.tid,
        subject: claims.sub,
        sid: claims.sid,
        client: ClientId::parse(&claims.aud)?,
        is_acting: claims.act.is_some(),
    })
}
