//! The tokens themselves: access tokens (RFC 9068), ID tokens (OIDC Core §2), and the `jti` that
//! activity reports give back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lanyard_verifier::Basis;
use secrecy::SecretString;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::token_exchange::ACCESS_TOKEN;
use super::{SessionEndsIn, TokenResponse};
use crate::app::App;
use crate::delegation::exchange as delegation;
use crate::http::line;
use crate::identity::membership::Member;
use crate::ids::{DelegationId, ImpersonationId, SubjectId, TenantId, TenantSessionId};
use crate::impersonation::exchange::Lent;
use crate::oidc::authorize::request::{PROTOCOL_SCOPES, acr_of};
use crate::oidc::client::Client;
use crate::sessions::Clocks;
use crate::sessions::service::Standing;
use crate::signing::{Alg, TokenType, sign};

/// What a person's tokens are made of.
#[derive(Debug)]
pub struct Issue<'a> {
    /// The clinic.
    pub tenant: TenantId,
    /// For whom.
    pub member: &'a Member,
    /// To which client.
    pub client: &'a Client,
    /// In which session.
    pub standing: &'a Standing,
    /// When that ends.
    pub clocks: Clocks,
    /// What was granted; her roles may cut it further.
    pub scopes: &'a [String],
    /// The `aud`.
    pub audience: &'a str,
    /// Of the authorization request.
    pub nonce: Option<&'a str>,
    /// When the access token ends: whole seconds count.
    pub access_ends_at: OffsetDateTime,
}

#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    sub: Uuid,
    aud: &'a str,
    exp: i64,
    iat: i64,
    jti: &'a str,
    client_id: &'a str,
    scope: &'a str,
    tid: TenantId,
    roles: &'a [String],
    #[serde(flatten)]
    sign_in: Option<SignInClaims<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<ActClaim>,
}

/// Who acts (RFC 8693 §4.1): one level, each member a string.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ActClaim {
    /// Support.
    Grant {
        /// His membership of the platform's tenant.
        sub: SubjectId,
        /// By which.
        grant: ImpersonationId,
        /// How much of what is lent.
        preset: &'static str,
    },
    /// A patient's proxy.
    Delegation {
        /// His membership of her clinic.
        sub: SubjectId,
        /// Under which.
        delegation: DelegationId,
        /// As what.
        basis: Basis,
    },
}

/// What the token of somebody who acts as somebody is made of.
#[derive(Debug)]
pub(crate) struct Acting<'a> {
    tenant: TenantId,
    actor: SubjectId,
    subject: SubjectId,
    sid: TenantSessionId,
    act: ActClaim,
    roles: &'a [String],
    scopes: &'a [String],
    ends_at: OffsetDateTime,
    amr: &'a [String],
    auth_time: OffsetDateTime,
}

impl<'a> Acting<'a> {
    /// Of support, under a grant.
    pub(crate) fn under_grant(lent: &'a Lent) -> Self {
        let grant = &lent.grant;
        Self {
            tenant: grant.tenant,
            actor: grant.actor,
            subject: grant.subject,
            sid: TenantSessionId::from_uuid(grant.id.as_uuid()),
            act: ActClaim::Grant {
                sub: grant.actor,
                grant: grant.id,
                preset: grant.preset.as_str(),
            },
            roles: &lent.roles,
            scopes: &lent.scopes,
            ends_at: lent.ends_at,
            amr: &lent.amr,
            auth_time: lent.auth_time,
        }
    }

    /// Of a proxy, under a delegation.
    pub(crate) fn under_delegation(lent: &'a delegation::Lent) -> Self {
        let delegation = &lent.delegation;
        Self {
            tenant: delegation.tenant,
            actor: delegation.proxy,
            subject: delegation.patient,
            sid: TenantSessionId::from_uuid(delegation.id.as_uuid()),
            act: ActClaim::Delegation {
                sub: delegation.proxy,
                delegation: delegation.id,
                basis: delegation.basis,
            },
            roles: &lent.roles,
            scopes: &lent.scopes,
            ends_at: lent.ends_at,
            amr: &lent.amr,
            auth_time: lent.auth_time,
        }
    }
}

#[derive(Serialize)]
struct SignInClaims<'a> {
    sid: TenantSessionId,
    auth_time: i64,
    acr: &'static str,
    amr: &'a [String],
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: Uuid,
    aud: &'a str,
    exp: i64,
    iat: i64,
    tid: TenantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(flatten)]
    sign_in: SignInClaims<'a>,
}

/// Signs a person's tokens. `refresh_token`: to be handed out with them.
pub fn person(app: &App, issue: &Issue<'_>, refresh_token: Option<SecretString>) -> TokenResponse {
    line::note(|facts| {
        facts.tenant = Some(issue.tenant);
        facts.actor = Some(issue.member.subject.as_uuid());
        facts.client = Some(issue.client.id.clone());
    });
    let now = app.env.now();
    let scope = granted(issue);
    let access_token = access_token(app, issue, &scope, now);
    let is_openid = issue.scopes.iter().any(|s| s == "openid");
    let until = |end: OffsetDateTime| (end - now).whole_seconds().max(0);
    TokenResponse {
        access_token,
        expires_in: until(issue.access_ends_at),
        id_token: is_openid.then(|| id_token(app, issue, now)),
        refresh_token,
        scope,
        issued_token_type: None,
        session_ends_in: Some(SessionEndsIn {
            idle: until(issue.clocks.idle_ends_at),
            absolute: until(issue.clocks.session_ends_at),
            idle_limit: issue.standing.limits.idle.whole_seconds(),
        }),
    }
}

/// What was granted and her roles still allow: a role taken away is felt at the next refresh.
fn granted(issue: &Issue<'_>) -> String {
    let may = |scope: &&String| {
        PROTOCOL_SCOPES.contains(&scope.as_str()) || issue.member.scopes.contains(scope)
    };
    let scopes: Vec<&str> = issue
        .scopes
        .iter()
        .filter(may)
        .map(String::as_str)
        .collect();
    scopes.join(" ")
}

fn access_token(app: &App, issue: &Issue<'_>, scope: &str, now: OffsetDateTime) -> SecretString {
    let sign_in = sign_in(issue);
    let life = Life {
        iat: now.unix_timestamp(),
        exp: issue.access_ends_at.unix_timestamp(),
    };
    let jti = jti(app, issue.tenant, sign_in.sid, issue.audience, &life);
    let claims = AccessClaims {
        iss: app.issuer(),
        sub: issue.member.subject.as_uuid(),
        aud: issue.audience,
        exp: life.exp,
        iat: life.iat,
        jti: &jti,
        client_id: issue.client.id.as_str(),
        scope,
        tid: issue.tenant,
        roles: &issue.member.roles,
        sign_in: Some(sign_in),
        act: None,
    };
    sign(
        app.ring().current(Alg::Es256),
        TokenType::AccessToken,
        &claims,
    )
    .into()
}

fn id_token(app: &App, issue: &Issue<'_>, now: OffsetDateTime) -> SecretString {
    let alg = Alg::parse(issue.client.id_token_alg.as_str()).unwrap_or(Alg::Rs256);
    let claims = IdClaims {
        iss: app.issuer(),
        sub: issue.member.subject.as_uuid(),
        aud: issue.client.id.as_str(),
        exp: (now + app.config.lifetimes.id_token).unix_timestamp(),
        iat: now.unix_timestamp(),
        tid: issue.tenant,
        nonce: issue.nonce,
        sign_in: sign_in(issue),
    };
    sign(app.ring().current(alg), TokenType::IdToken, &claims).into()
}

fn sign_in<'a>(issue: &Issue<'a>) -> SignInClaims<'a> {
    SignInClaims {
        sid: issue.standing.in_tenant.sid,
        auth_time: issue.standing.in_tenant.auth_time.unix_timestamp(),
        acr: acr_of(&issue.standing.in_tenant.amr),
        amr: &issue.standing.in_tenant.amr,
    }
}

/// Signs the access token of a service itself: its `sub` is its own, it has no roles.
pub fn service(app: &App, client: &Client, scopes: &[String], audience: &str) -> TokenResponse {
    let now = app.env.now();
    let lifetime = app.config.lifetimes.client_credentials_token;
    let jti = URL_SAFE_NO_PAD.encode(app.env.random_bytes::<32>());
    let scope = scopes.join(" ");
    let claims = AccessClaims {
        iss: app.issuer(),
        sub: app.keys.locator("client_subject", client.id.as_str()),
        aud: audience,
        exp: (now + lifetime).unix_timestamp(),
        iat: now.unix_timestamp(),
        jti: &jti,
        client_id: client.id.as_str(),
        scope: &scope,
        tid: client.tenant,
        roles: &[],
        sign_in: None,
        act: None,
    };
    TokenResponse {
        access_token: sign(
            app.ring().current(Alg::Es256),
            TokenType::AccessToken,
            &claims,
        )
        .into(),
        expires_in: lifetime.whole_seconds(),
        id_token: None,
        refresh_token: None,
        scope,
        issued_token_type: None,
        session_ends_in: None,
    }
}

/// Signs the access token of somebody who acts as somebody: the subject's, as far as it is lent,
/// with a `sid` of its own and the actor's sign-in. No refresh token, no ID token.
pub(crate) fn acting(
    app: &App,
    client: &Client,
    acting: Acting<'_>,
    audience: &str,
) -> TokenResponse {
    let now = app.env.now();
    line::note(|facts| {
        facts.tenant = Some(acting.tenant);
        facts.actor = Some(acting.actor.as_uuid());
    });
    let life = Life {
        iat: now.unix_timestamp(),
        exp: acting.ends_at.unix_timestamp(),
    };
    let sid = acting.sid;
    let jti = jti(app, acting.tenant, sid, audience, &life);
    let scope = acting.scopes.join(" ");
    let claims = AccessClaims {
        iss: app.issuer(),
        sub: acting.subject.as_uuid(),
        aud: audience,
        exp: life.exp,
        iat: life.iat,
        jti: &jti,
        client_id: client.id.as_str(),
        scope: &scope,
        tid: acting.tenant,
        roles: acting.roles,
        sign_in: Some(SignInClaims {
            sid,
            auth_time: acting.auth_time.unix_timestamp(),
            acr: acr_of(acting.amr),
            amr: acting.amr,
        }),
        act: Some(acting.act),
    };
    let ring = app.ring();
    TokenResponse {
        access_token: sign(ring.current(Alg::Es256), TokenType::AccessToken, &claims).into(),
        expires_in: life.exp - life.iat,
        id_token: None,
        refresh_token: None,
        scope,
        issued_token_type: Some(ACCESS_TOKEN),
        session_ends_in: None,
    }
}

/// A token's life, unix seconds: `iat <= t < exp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Issued.
    pub iat: i64,
    /// Ends.
    pub exp: i64,
}

/// Random bytes of a `jti`, and of its MAC, each.
const JTI_HALF: usize = 16;

/// A `jti` that proves we minted it, for whom and for how long, so that an activity report needs
/// no table of tokens: 16 random bytes and a MAC over them, session, audience and life.
fn jti(app: &App, tenant: TenantId, sid: TenantSessionId, audience: &str, life: &Life) -> String {
    let nonce: [u8; JTI_HALF] = app.env.random_bytes();
    let mac = jti_mac(app, &nonce, tenant, sid, audience, life);
    URL_SAFE_NO_PAD.encode([nonce, mac].concat())
}

/// Whether we minted this `jti` for that audience, session and life.
pub fn jti_is_ours(
    app: &App,
    jti: &str,
    tenant: TenantId,
    sid: TenantSessionId,
    audience: &str,
    life: &Life,
) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(jti) else {
        return false;
    };
    let Some((nonce, mac)) = bytes.split_at_checked(JTI_HALF) else {
        return false;
    };
    let expected = jti_mac(app, nonce, tenant, sid, audience, life);
    #[expect(
        deprecated,
        reason = "ring has no other constant-time comparison of slices"
    )]
    let same = ring::constant_time::verify_slices_are_equal(&expected, mac).is_ok();
    same
}

fn jti_mac(
    app: &App,
    nonce: &[u8],
    tenant: TenantId,
    sid: TenantSessionId,
    audience: &str,
    life: &Life,
) -> [u8; JTI_HALF] {
    let mac = app.keys.jti_mac(
        nonce,
        &[
            tenant.as_uuid().as_bytes(),
            sid.as_uuid().as_bytes(),
            audience.as_bytes(),
            &life.iat.to_be_bytes(),
            &life.exp.to_be_bytes(),
        ],
    );
    mac[..JTI_HALF]
        .try_into()
        .expect("a MAC of 32 bytes has 16")
}
