//! Our own ID tokens, given back as a hint: an expired one is good (OIDC RP-Initiated Logout §2).

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
