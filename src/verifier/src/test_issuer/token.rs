//! Tokens for tests.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Ended, TestKey};
use crate::{Basis, DelegationId, GrantId, Preset, SubjectId, TenantId};

/// The clinic of a token that does not say another.
const TENANT: TenantId =
    TenantId::from_uuid(Uuid::from_u128(0x7e5a_0000_0000_4000_8000_0000_0000_000a));
/// The person of a token that does not say another.
const SUBJECT: SubjectId =
    SubjectId::from_uuid(Uuid::from_u128(0x5b1e_0000_0000_4000_8000_0000_0000_0001));
/// The grant of a token whose actor was named without one.
const GRANT: GrantId =
    GrantId::from_uuid(Uuid::from_u128(0x6a7e_0000_0000_4000_8000_0000_0000_0001));

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";

/// A token being made. Starts out good; each method changes one thing.
#[derive(Clone, Debug)]
#[must_use]
pub struct TestToken {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    key: Arc<TestKey>,
}

impl TestToken {
    pub(super) fn good(
        issuer: &str,
        audience: &str,
        now: OffsetDateTime,
        key: Arc<TestKey>,
    ) -> Self {
        let now = now.unix_timestamp();
        let claims = json!({
            "iss": issuer,
            "sub": SUBJECT,
            "aud": audience,
            "exp": now + 300,
            "iat": now,
            "jti": "test-token",
            "client_id": "test-client",
            "scope": "",
            "sid": "test-session",
            "auth_time": now - 60,
            "acr": "urn:lanyard:acr:pwd",
            "amr": ["pwd"],
            "tid": TENANT,
            "roles": [],
        });
        let header = json!({ "typ": "at+jwt", "alg": key.alg(), "kid": key.kid() });
        Self {
            header: members(header),
            claims: members(claims),
            key,
        }
    }

    /// A security event token (RFC 8417) about what ended just now.
    pub(super) fn security_event(
        issuer: &str,
        audience: &str,
        now: OffsetDateTime,
        key: Arc<TestKey>,
        ended: &Ended,
    ) -> Self {
        let now = now.unix_timestamp();
        let mut event = json!({
            "event_timestamp": now, "issued_until": now, "reason_admin": { "en": "test" },
        });
        let opaque = |id: &str| json!({ "format": "opaque", "id": id });
        let of = |tenant: &TenantId, name: &str, value: Value| {
            let tenant = opaque(&tenant.to_string());
            json!({ "format": "complex", "tenant": tenant, name: value })
        };
        let (word, sub_id) = match ended {
            Ended::Session(tenant, sid) => ("session-revoked", of(tenant, "session", opaque(sid))),
            Ended::Family(tenant, sid, client) => {
                event["client_id"] = json!(client);
                ("family-revoked", of(tenant, "session", opaque(sid)))
            }
            Ended::Subject(tenant, subject) => {
                let user = json!({ "format": "iss_sub", "iss": issuer, "sub": subject });
                ("membership-revoked", of(tenant, "user", user))
            }
            Ended::Tenant(tenant) => {
                let tenant = opaque(&tenant.to_string());
                (
                    "tenant-revoked",
                    json!({ "format": "complex", "tenant": tenant }),
                )
            }
            Ended::Key(kid) => {
                event["kid"] = json!(kid);
                ("key-revoked", opaque(issuer))
            }
            Ended::Role(role) => {
                event["roles"] = json!([role]);
                ("role-changed", opaque(issuer))
            }
            Ended::Impersonation(tenant, sid) => {
                ("impersonation-ended", of(tenant, "session", opaque(sid)))
            }
        };
        let uri = match ended {
            Ended::Session(..) => format!("{CAEP}{word}"),
            _ => format!("{issuer}/events/{word}"),
        };
        let claims = json!({
            "iss": issuer, "aud": audience, "iat": now, "jti": "test-event",
            "sub_id": sub_id, "events": { uri: event },
        });
        let header = json!({ "typ": "secevent+jwt", "alg": key.alg(), "kid": key.kid() });
        Self {
            header: members(header),
            claims: members(claims),
            key,
        }
    }

    /// For another clinic (`tid`).
    pub fn tenant(self, tenant: TenantId) -> Self {
        self.claim("tid", json!(tenant))
    }

    /// About another subject (`sub`).
    pub fn subject(self, subject: SubjectId) -> Self {
        self.claim("sub", json!(subject))
    }

    /// With these scopes, separated by spaces.
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// With these roles.
    pub fn roles<S: Into<String>>(self, roles: impl IntoIterator<Item = S>) -> Self {
        let roles: Vec<String> = roles.into_iter().map(Into::into).collect();
        self.claim("roles", roles)
    }

    /// Used by support staff who act as the subject (`act`), to help: see [`Self::acted`].
    pub fn actor(self, actor: SubjectId) -> Self {
        self.acted(actor, GRANT, Preset::Assist)
    }

    /// Used by support staff who act as the subject by that grant, with that preset (`act`).
    pub fn acted(self, actor: SubjectId, grant: GrantId, preset: Preset) -> Self {
        let act = json!({ "sub": actor, "grant": grant, "preset": preset });
        self.claim("act", act)
    }

    /// Used by a patient's proxy who acts for her under that delegation (`act`).
    pub fn proxied(self, proxy: SubjectId, delegation: DelegationId, basis: Basis) -> Self {
        let act = json!({ "sub": proxy, "delegation": delegation, "basis": basis });
        self.claim("act", act)
    }

    /// Of a client that acts for itself: nobody signed in.
    pub fn without_sign_in(self) -> Self {
        self.without("sid")
            .without("auth_time")
            .without("acr")
            .without("amr")
    }

    /// With that claim, of whatever type.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Without that claim.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// With that header parameter; `null` is a value like any other.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Without that header parameter.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Signed by another key. The header stays as it is: set `alg` and `kid` if they should follow.
    pub fn signed_by(mut self, key: TestKey) -> Self {
        self.key = Arc::new(key);
        self
    }

    /// The token in compact form (RFC 7515 §7.1).
    pub fn mint(self) -> String {
        let part = |members: Map<String, Value>| {
            URL_SAFE_NO_PAD.encode(Value::Object(members).to_string())
        };
        let signing_input = format!("{}.{}", part(self.header), part(self.claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signing_input.as_bytes()));
        format!("{signing_input}.{signature}")
    }
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
