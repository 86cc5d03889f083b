//! Our own access tokens, given back to us: at userinfo, by an API that asks of one, by a client
//! that is done with it.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::ids::{DelegationId, ImpersonationId, SubjectId, TenantId, TenantSessionId};
use crate::signing::{self, TokenType};

/// One that is ours and not over by its own clock. Whether what is behind it still stands is
/// another question.
#[derive(Debug)]
pub struct AccessToken {
    /// The key that signed it.
    pub kid: String,
    /// What it says.
    pub claims: Claims,
}

/// What an access token says (RFC 9068 §2.2).
#[derive(Debug, Deserialize)]
pub struct Claims {
    iss: String,
    /// The member, or the service itself.
    pub sub: Uuid,
    /// The API that it is for.
    pub aud: String,
    /// When it ends, unix seconds.
    pub exp: i64,
    /// When it was issued, unix seconds.
    pub iat: i64,
    /// Its own name.
    pub jti: String,
    /// To whom it was given.
    pub client_id: String,
    /// What it opens, space-separated.
    pub scope: String,
    /// In which clinic.
    pub tid: TenantId,
    /// What she is there; a service is nothing.
    pub roles: Vec<String>,
    /// In which session; a service has none.
    pub sid: Option<TenantSessionId>,
    /// When she proved who she is, unix seconds.
    pub auth_time: Option<i64>,
    /// How.
    pub acr: Option<String>,
    /// Who acts as her, if somebody does (RFC 8693 §4.1).
    pub act: Option<Value>,
}

/// What a token stands or falls with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// A person's session in the clinic.
    Session(TenantSessionId),
    /// Support acts as the person, under that grant (design §7).
    Grant {
        /// Who acts: a member of the platform's tenant.
        actor: SubjectId,
        /// By what.
        grant: ImpersonationId,
    },
    /// A patient's proxy acts as her, under that delegation.
    Delegation(DelegationId),
    /// The client itself: a service's own.
    Client,
    /// Somebody acts by what is not known here.
    Unknown,
}

/// The members of `act` that name what lets somebody act.
#[derive(Deserialize)]
#[serde(untagged)]
enum Acts {
    Grant {
        sub: SubjectId,
        grant: ImpersonationId,
    },
    Delegation {
        delegation: DelegationId,
    },
}

impl Claims {
    /// What the token hangs on. What lets somebody act is the session of its tokens: one that `sid`
    /// does not name is none.
    pub fn behind(&self) -> Behind {
        match (&self.act, self.sid) {
            (None, None) => Behind::Client,
            (None, Some(sid)) => Behind::Session(sid),
            (Some(_), None) => Behind::Unknown,
            (Some(act), Some(sid)) => match Acts::deserialize(act) {
                Ok(Acts::Grant { sub, grant }) if grant.as_uuid() == sid.as_uuid() => {
                    Behind::Grant { actor: sub, grant }
                }
                Ok(Acts::Delegation { delegation }) if delegation.as_uuid() == sid.as_uuid() => {
                    Behind::Delegation(delegation)
                }
                _ => Behind::Unknown,
            },
        }
    }
}

/// Reads one: signed by a published key, of our issuer, and not over.
pub fn read(app: &App, token: &str) -> Option<AccessToken> {
    let ring = app.ring();
    let (kid, claims) = signing::open_named::<Claims>(&ring, TokenType::AccessToken, token)?;
    let is_live = app.env.now().unix_timestamp() < claims.exp && claims.iss == app.issuer();
    is_live.then_some(AccessToken { kid, claims })
}
