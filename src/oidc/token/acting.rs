//! The tokens of somebody who acts as somebody (design §7; RFC 8693 §4.1).

use lanyard_verifier::Basis;
use serde::Serialize;
use time::OffsetDateTime;

use super::minting::{AccessClaims, IdClaims, Life, SignInClaims, is_openid, jti, sign_id};
use super::token_exchange::ACCESS_TOKEN;
use super::{SessionEndsIn, TokenResponse};
use crate::app::App;
use crate::delegation::exchange::Lent as Proxied;
use crate::http::line;
use crate::ids::{DelegationId, ImpersonationId, SubjectId, TenantId, TenantSessionId};
use crate::impersonation::exchange::Lent;
use crate::oidc::authorize::request::acr_of;
use crate::oidc::client::Client;
use crate::signing::{Alg, TokenType, sign};

/// Who acts (RFC 8693 §4.1): one level, each member a string.
#[derive(Clone, Debug, Serialize)]
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
        let (ground, grant) = (&lent.ground, &lent.ground.grant);
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
            roles: &ground.roles,
            scopes: &lent.scopes,
            ends_at: ground.token_ends_at,
            amr: &ground.amr,
            auth_time: ground.auth_time,
        }
    }

    /// Of a proxy, under a delegation.
    pub(crate) fn under_delegation(lent: &'a Proxied) -> Self {
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

    /// The `sid` is the grant's or the delegation's; how and when he proved who he is are the
    /// actor's.
    fn sign_in(&self) -> SignInClaims<'a> {
        SignInClaims {
            sid: self.sid,
            auth_time: self.auth_time.unix_timestamp(),
            acr: acr_of(self.amr),
            amr: self.amr,
        }
    }
}

/// Signs the access token of somebody who acts as somebody: the subject's, as far as it is lent,
/// with a `sid` of its own and the actor's sign-in. No refresh token, no ID token.
pub(crate) fn access(
    app: &App,
    client: &Client,
    acting: &Acting<'_>,
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
    let jti = jti(app, acting.tenant, acting.sid, audience, &life);
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
        sign_in: Some(acting.sign_in()),
        act: Some(acting.act.clone()),
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

/// Signs what an app is given that was entered under a grant: the same access token, an ID token
/// that says who acts, and when it is over. No refresh token.
pub(crate) fn in_app(
    app: &App,
    client: &Client,
    lent: &Lent,
    (audience, nonce): (&str, Option<&str>),
) -> TokenResponse {
    let (ground, grant, now) = (&lent.ground, &lent.ground.grant, app.env.now());
    let acting = Acting::under_grant(lent);
    let ends_at = grant.ends_at.unwrap_or(now);
    let ends_at = ends_at.min(ground.clocks.session_ends_at);
    let claims = || IdClaims {
        iss: app.issuer(),
        sub: grant.subject.as_uuid(),
        aud: client.id.as_str(),
        exp: (now + app.config.lifetimes.id_token)
            .min(ends_at)
            .unix_timestamp(),
        iat: now.unix_timestamp(),
        tid: grant.tenant,
        nonce,
        sign_in: acting.sign_in(),
        name: lent
            .scopes
            .iter()
            .any(|scope| scope == "profile")
            .then_some(ground.subject_name.as_str()),
        actor_name: Some(&grant.actor_name),
        act: Some(acting.act.clone()),
    };
    let until = |end: OffsetDateTime| (end.min(ends_at) - now).whole_seconds().max(0);
    TokenResponse {
        id_token: is_openid(&lent.scopes).then(|| sign_id(app, client, &claims())),
        issued_token_type: None,
        session_ends_in: Some(SessionEndsIn {
            idle: until(ground.clocks.idle_ends_at),
            absolute: until(ends_at),
            idle_limit: ground.idle_limit.whole_seconds(),
        }),
        ..access(app, client, &acting, audience)
    }
}
