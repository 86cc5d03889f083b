//! The tokens themselves: access tokens (RFC 9068), ID tokens (OIDC Core §2), and the `jti` that
//! activity reports give back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::acting::ActClaim;
use super::{SessionEndsIn, TokenResponse};
use crate::app::App;
use crate::http::line;
use crate::identity::membership::Member;
use crate::ids::{TenantId, TenantSessionId};
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
pub(super) struct AccessClaims<'a> {
    pub(super) iss: &'a str,
    pub(super) sub: Uuid,
    pub(super) aud: &'a str,
    pub(super) exp: i64,
    pub(super) iat: i64,
    pub(super) jti: &'a str,
    pub(super) client_id: &'a str,
    pub(super) scope: &'a str,
    pub(super) tid: TenantId,
    pub(super) roles: &'a [String],
    #[serde(flatten)]
    pub(super) sign_in: Option<SignInClaims<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) act: Option<ActClaim>,
}

#[derive(Serialize)]
pub(super) struct SignInClaims<'a> {
    pub(super) sid: TenantSessionId,
    pub(super) auth_time: i64,
    pub(super) acr: &'static str,
    pub(super) amr: &'a [String],
}

#[derive(Serialize)]
pub(super) struct IdClaims<'a> {
    pub(super) iss: &'a str,
    pub(super) sub: Uuid,
    pub(super) aud: &'a str,
    pub(super) exp: i64,
    pub(super) iat: i64,
    pub(super) tid: TenantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nonce: Option<&'a str>,
    #[serde(flatten)]
    pub(super) sign_in: SignInClaims<'a>,
    /// What she is called, to an app that shows who acts as whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    /// What who acts is called, for the app's banner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) actor_name: Option<&'a str>,
    /// The last: nothing written after it could say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) act: Option<ActClaim>,
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
    let until = |end: OffsetDateTime| (end - now).whole_seconds().max(0);
    TokenResponse {
        access_token,
        expires_in: until(issue.access_ends_at),
        id_token: is_openid(issue.scopes).then(|| id_token(app, issue, now)),
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
    let claims = IdClaims {
        iss: app.issuer(),
        sub: issue.member.subject.as_uuid(),
        aud: issue.client.id.as_str(),
        exp: (now + app.config.lifetimes.id_token).unix_timestamp(),
        iat: now.unix_timestamp(),
        tid: issue.tenant,
        nonce: issue.nonce,
        sign_in: sign_in(issue),
        name: None,
        actor_name: None,
        act: None,
    };
    sign_id(app, issue.client, &claims)
}

pub(super) fn sign_id(app: &App, client: &Client, claims: &IdClaims<'_>) -> SecretString {
    let alg = Alg::parse(client.id_token_alg.as_str()).unwrap_or(Alg::Rs256);
    sign(app.ring().current(alg), TokenType::IdToken, claims).into()
}

pub(super) fn is_openid(scopes: &[String]) -> bool {
    scopes.iter().any(|scope| scope == "openid")
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
pub(super) fn jti(
    app: &App,
    tenant: TenantId,
    sid: TenantSessionId,
    audience: &str,
    life: &Life,
) -> String {
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
