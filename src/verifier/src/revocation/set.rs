//! What a security event token says was revoked (RFC 8417, CAEP 1.0, RFC 9493).

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Mark;
use crate::error::VerifyError;
use crate::json::{present, read_strictly};
use crate::{SubjectId, TenantId};

/// CAEP 1.0 §3.1.
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
/// Events of the issuer's own that tell and end nothing.
const ENDS_NOTHING: [&str; 1] = ["tenant-resumed"];

/// The claims as they must be; others are ignored (RFC 8417 §2.2).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    #[expect(dead_code, reason = "must be there (RFC 8417 §2.2); see `read`")]
    iat: i64,
    jti: String,
    #[serde(default)]
    sub_id: Value,
    events: HashMap<String, Value>,
    /// RFC 8417 §2.2: a SET does not expire, and what does is another kind of token.
    #[serde(default, deserialize_with = "present")]
    exp: Option<IgnoredAny>,
}

/// RFC 7519 §4.1.3.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// RFC 9493 §3.2.3, §3.2.4; the members of a complex one are SSF 1.0's (§3.3).
#[derive(Deserialize)]
#[serde(tag = "format", rename_all = "snake_case")]
enum Subject {
    Opaque {},
    Complex {
        tenant: Opaque,
        user: Option<User>,
        session: Option<Opaque>,
    },
}

#[derive(Deserialize)]
struct Opaque {
    id: String,
}

#[derive(Deserialize)]
struct User {
    iss: String,
    sub: String,
}

/// The members that decide; Unix seconds.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "event_timestamp")]
    at: Option<i64>,
    issued_until: Option<i64>,
    client_id: Option<String>,
    kid: Option<String>,
    roles: Option<Vec<String>>,
}

/// What is refused from now on: these marks, on tokens minted up to that second.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Revoked {
    pub(super) marks: Vec<Mark>,
    pub(super) issued_until: i64,
}

const BROKEN: VerifyError = VerifyError::Claims("not a security event of the issuer's (RFC 8417)");

/// Reads a payload whose signature was verified; `None` if it tells of nothing that ends a token.
///
/// When it was signed is not judged: it says what has ended, and by a clock that runs behind that
/// would not be known yet.
pub(super) fn read(
    payload: &[u8],
    issuer: &str,
    audience: &str,
) -> Result<Option<Revoked>, VerifyError> {
    let claims: Claims = read_strictly(payload).ok_or(BROKEN)?;
    if claims.iss != issuer {
        return Err(VerifyError::WrongIssuer);
    }
    let is_for_us = match &claims.aud {
        Audience::One(one) => one == audience,
        Audience::Several(several) => several.iter().any(|one| one == audience),
    };
    if !is_for_us {
        return Err(VerifyError::WrongAudience);
    }
    let mut events = claims.events.into_iter();
    let (Some((uri, event)), None) = (events.next(), events.next()) else {
        return Err(BROKEN);
    };
    if claims.jti.is_empty() || claims.exp.is_some() {
        return Err(BROKEN);
    }
    let own = format!("{}/events/", issuer.trim_end_matches('/'));
    let word = match uri.strip_prefix(&own) {
        Some(word) => word,
        None if uri == SESSION_REVOKED => "session-revoked",
        None => return Ok(None),
    };
    if ENDS_NOTHING.contains(&word) {
        return Ok(None);
    }
    let event: Event = serde_json::from_value(event).map_err(|_| BROKEN)?;
    let subject: Subject = serde_json::from_value(claims.sub_id).map_err(|_| BROKEN)?;
    let issued_until = event.issued_until.or(event.at).ok_or(BROKEN)?;
    let marks = marks(word, event, &subject, issuer).ok_or(BROKEN)?;
    Ok(Some(Revoked {
        marks,
        issued_until,
    }))
}

/// An event of the issuer's that a later release may send is read by whom it names: what is not
/// understood ends too much rather than too little.
fn marks(word: &str, event: Event, subject: &Subject, issuer: &str) -> Option<Vec<Mark>> {
    let named = match subject {
        Subject::Opaque {} => {
            let roles = event.roles.unwrap_or_default().into_iter();
            let roles = roles.map(|role| Mark::Role(role.into()));
            let key = event.kid.map(|kid| Mark::Key(kid.into()));
            let marks: Vec<Mark> = roles.chain(key).collect();
            return (!marks.is_empty()).then_some(marks);
        }
        Subject::Complex {
            tenant,
            user,
            session,
        } => (tenant.id.parse::<TenantId>().ok()?, user, session),
    };
    let (tenant, user, session) = named;
    let sid = || Some(Arc::from(session.as_ref()?.id.as_str()));
    let subject = || {
        let user = user.as_ref().filter(|user| user.iss == issuer)?;
        user.sub.parse::<SubjectId>().ok()
    };
    let mark = match word {
        "session-revoked" | "impersonation-ended" => Mark::Session(tenant, sid()?),
        "family-revoked" => Mark::Family(tenant, sid()?, event.client_id?.into()),
        "account-revoked" | "membership-revoked" | "membership-changed" => {
            Mark::Subject(tenant, subject()?)
        }
        "tenant-revoked" | "module-changed" => Mark::Tenant(tenant),
        _ if session.is_some() => Mark::Session(tenant, sid()?),
        _ if user.is_some() => Mark::Subject(tenant, subject()?),
        _ => Mark::Tenant(tenant),
    };
    Some(vec![mark])
}
