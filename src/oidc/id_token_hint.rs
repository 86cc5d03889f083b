//! Our own ID tokens, given back as a hint: an expired one is good (OIDC RP-Initiated Logout §2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::ids::{ClientId, TenantId, TenantSessionId};

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
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: Uuid,
    aud: String,
    sid: TenantSessionId,
    tid: TenantId,
}

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// Reads a hint; `None` unless one of our published keys signed it as an ID token of ours.
pub fn read(app: &App, token: &str) -> Option<Hint> {
    if token.len() > LONGEST {
        return None;
    }
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
    let ring = app.ring();
    let key = ring.find(&header.kid)?;
    let is_ours = header.typ == "JWT"
        && header.alg == key.alg().name()
        && key.verifies(message.as_bytes(), &decode(signature)?);
    if !is_ours {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&decode(claims)?).ok()?;
    (claims.iss == app.issuer()).then_some(Hint {
        tenant: claims.tid,
        subject: claims.sub,
        sid: claims.sid,
        client: ClientId::parse(&claims.aud)?,
    })
}
