//! The claims of an access token, read strictly and checked (RFC 9068 §2.2 and §4).

use std::collections::HashMap;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;

use crate::error::VerifyError;
use crate::json::{present, read_strictly};
use crate::principal::{Actor, Principal, Proxy, SignIn, Support};

/// How far two clocks may differ, in either direction. Fixed: what an API could widen, it would.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// The longest life (`exp - iat`) that is believed, whatever the issuer signed. Ours live five
/// minutes.
pub const MAX_TOKEN_LIFETIME: Duration = Duration::from_mins(10);

/// The claims as they must be: a missing one or one of another type does not parse.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    /// One string. An array is refused even with one member: the issuer mints none.
    aud: String,
    #[serde(deserialize_with = "identifier")]
    sub: crate::SubjectId,
    #[serde(deserialize_with = "identifier")]
    tid: crate::TenantId,
    exp: i64,
    iat: i64,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<i64>,
    jti: String,
    client_id: String,
    scope: String,
    roles: Vec<String>,
    #[serde(default, deserialize_with = "present")]
    sid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    auth_time: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    acr: Option<String>,
    #[serde(default, deserialize_with = "present")]
    amr: Option<Vec<String>>,
    /// A map of strings: a nested `act` (a chain, RFC 8693 §4.1) does not parse, nor does a list.
    #[serde(default, deserialize_with = "present")]
    act: Option<HashMap<String, String>>,
    #[serde(default, deserialize_with = "present")]
    cnf: Option<IgnoredAny>,
}

/// When a token is good, in Unix seconds. Asked at every presentation, cached or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    iat: i64,
    /// The later of `iat` and `nbf`.
    from: i64,
    exp: i64,
}

impl Validity {
    /// When it was minted, in Unix seconds.
    pub(crate) fn issued_at(self) -> i64 {
        self.iat
    }

    pub(crate) fn check(self, now: OffsetDateTime) -> Result<(), VerifyError> {
        let now = now.unix_timestamp();
        let leeway = LEEWAY.as_secs().cast_signed();
        if now >= self.exp.saturating_add(leeway) {
            return Err(VerifyError::Expired);
        }
        if self.from > now.saturating_add(leeway) {
            return Err(VerifyError::NotYetValid);
        }
        let lifetime = self.exp.saturating_sub(self.iat);
        if lifetime <= 0 {
            return Err(VerifyError::Claims("exp is not after iat"));
        }
        if lifetime > MAX_TOKEN_LIFETIME.as_secs().cast_signed() {
            return Err(VerifyError::LivesTooLong);
        }
        Ok(())
    }
}

/// Turns a payload whose signature was verified into a principal.
pub(crate) fn read(
    payload: &[u8],
    issuer: &str,
    audience: &str,
    now: OffsetDateTime,
) -> Result<(Principal, Validity), VerifyError> {
    let claims: Claims = read_strictly(payload).ok_or(VerifyError::Claims(
        "one is missing, doubled or of the wrong type",
    ))?;
    if claims.iss != issuer {
        return Err(VerifyError::WrongIssuer);
    }
    if claims.aud != audience {
        return Err(VerifyError::WrongAudience);
    }
    if claims.cnf.is_some() {
        return Err(VerifyError::SenderConstrained);
    }
    let validity = Validity {
        iat: claims.iat,
        from: claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat)),
        exp: claims.exp,
    };
    validity.check(now)?;
    Ok((claims.into_principal(now)?, validity))
}

impl Claims {
    fn into_principal(self, now: OffsetDateTime) -> Result<Principal, VerifyError> {
        if self.jti.is_empty() || self.client_id.is_empty() {
            return Err(VerifyError::Claims("jti or client_id is empty"));
        }
        if self.roles.iter().any(String::is_empty) {
            return Err(VerifyError::Claims("a role is empty"));
        }
        let scopes = scopes(&self.scope)?;
        let sign_in = match (self.sid, self.auth_time, self.acr, self.amr) {
            (Some(sid), Some(auth_time), Some(acr), Some(amr)) if !sid.is_empty() => {
                let auth_time = instant(auth_time)?;
                if auth_time > now + LEEWAY {
                    return Err(VerifyError::NotYetValid);
                }
                Some(SignIn {
                    sid,
                    auth_time,
                    acr,
                    amr,
                })
            }
            (None, None, None, None) => None,
            _ => {
                return Err(VerifyError::Claims(
                    "sid, auth_time, acr, amr come together",
                ));
            }
        };
        let actor = self.act.map(actor).transpose()?;
        if actor.is_some() && sign_in.is_none() {
            return Err(VerifyError::Claims("act without a sign-in"));
        }
        Ok(Principal {
            tenant: self.tid,
            subject: self.sub,
            client_id: self.client_id,
            audience: self.aud,
            jti: self.jti,
            roles: self.roles,
            scopes,
            sign_in,
            actor,
            issued_at: instant(self.iat)?,
            expires_at: instant(self.exp)?,
        })
    }
}

/// `scope` as RFC 6749 §3.3 writes it: tokens with one space between; none at all is allowed.
fn scopes(text: &str) -> Result<Vec<String>, VerifyError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let is_scope_token = |token: &str| {
        let legal = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        !token.is_empty() && token.bytes().all(legal)
    };
    let scopes: Vec<String> = text.split(' ').map(str::to_owned).collect();
    if scopes.iter().all(|scope| is_scope_token(scope)) {
        Ok(scopes)
    } else {
        Err(VerifyError::Claims("scope is not a list of scope tokens"))
    }
}

/// All of an actor's members, and no other: a shape that is not known is not believed.
fn actor(mut act: HashMap<String, String>) -> Result<Actor, VerifyError> {
    let actor = named_actor(&mut act).filter(|_| act.is_empty());
    actor.ok_or(VerifyError::Claims(
        "act is neither sub, grant and preset nor sub, delegation and basis",
    ))
}

/// What is left over in the map is no member of the actor's kind.
fn named_actor(act: &mut HashMap<String, String>) -> Option<Actor> {
    let sub = act.remove("sub")?.parse().ok()?;
    Some(if act.contains_key("grant") {
        Actor::Support(Support {
            sub,
            grant: act.remove("grant")?.parse().ok()?,
            preset: act.remove("preset")?.parse().ok()?,
        })
    } else {
        Actor::Proxy(Proxy {
            sub,
            delegation: act.remove("delegation")?.parse().ok()?,
            basis: act.remove("basis")?.parse().ok()?,
        })
    })
}

fn instant(unix_seconds: i64) -> Result<OffsetDateTime, VerifyError> {
    OffsetDateTime::from_unix_timestamp(unix_seconds)
        .map_err(|_| VerifyError::Claims("an instant is out of range"))
}

fn identifier<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}
