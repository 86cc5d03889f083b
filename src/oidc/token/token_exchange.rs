//! `grant_type=urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693): a grant to act as
//! somebody, or a delegation, with its actor's own token, for a token under `act`. Nothing else is
//! exchanged.

use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

use super::acting::{self, Acting};
use super::{TokenResponse, malformed_form};
use crate::app::App;
use crate::db::Authority;
use crate::delegation::exchange::{self as delegation, Presenter};
use crate::http::form::Parameters;
use crate::http::oauth_error::{OAuthError, OAuthErrorCode};
use crate::ids::{DelegationId, ImpersonationId, SubjectId, TenantId, TenantSessionId};
use crate::impersonation::exchange::{self, Asked, Exchanged};
use crate::impersonation::service::Agent;
use crate::oidc::client::{Client, ClientKind};
use crate::signing::{self, TokenType};

/// RFC 8693 §2.1.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// RFC 8693 §3.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The id of a grant to act as somebody; ours (RFC 8693 §3 lets a server name its own).
pub const IMPERSONATION_GRANT: &str = "urn:lanyard:token-type:impersonation-grant";
/// The id of a delegation; ours too.
pub const DELEGATION: &str = "urn:lanyard:token-type:delegation";

/// The actor's own access token, as far as it matters here.
#[derive(Deserialize)]
struct ActorClaims {
    iss: String,
    sub: SubjectId,
    aud: String,
    exp: i64,
    client_id: String,
    tid: TenantId,
    sid: Option<TenantSessionId>,
    /// Whatever its shape: there must be none.
    act: Option<Value>,
}

/// Exchanges what lets somebody act (`subject_token`) and the actor's access token (`actor_token`).
///
/// # Errors
/// `unauthorized_client` for any but a confidential app of those who act; `invalid_request` for
/// other types of tokens and for a chain (IMP-02); `invalid_target` for an API that is not the
/// client's and for somebody who may not be acted as (IMP-01); `invalid_scope` beyond what is lent
/// (IMP-09); `invalid_grant` for everything else.
pub async fn exchange(
    app: &App,
    client: &Client,
    form: &Parameters,
) -> Result<TokenResponse, OAuthError> {
    if client.kind != ClientKind::Web {
        return Err(unauthorized("only an app that keeps a secret exchanges"));
    }
    let of_what = required(form, "subject_token_type")?;
    if ![IMPERSONATION_GRANT, DELEGATION].contains(&of_what) {
        let detail = "not one that is exchanged";
        return Err(OAuthError::field("subject_token_type", detail));
    }
    if required(form, "actor_token_type")? != ACCESS_TOKEN {
        let detail = "not one that is exchanged";
        return Err(OAuthError::field("actor_token_type", detail));
    }
    if one(form, "requested_token_type")?.is_some_and(|wanted| wanted != ACCESS_TOKEN) {
        return Err(OAuthError::field(
            "requested_token_type",
            "only access tokens are given",
        ));
    }
    if of_what == DELEGATION {
        under_delegation(app, client, form).await
    } else {
        under_grant(app, client, form).await
    }
}

async fn under_grant(
    app: &App,
    client: &Client,
    form: &Parameters,
) -> Result<TokenResponse, OAuthError> {
    if client.tenant != TenantId::PLATFORM {
        return Err(unauthorized("only the support's own app exchanges"));
    }
    let id: ImpersonationId = subject_token(form)?;
    let actor = actor(app, client, required(form, "actor_token")?)?;
    if actor.tid != TenantId::PLATFORM {
        return Err(OAuthError::invalid_grant("not support's own token"));
    }
    let agent = Agent {
        subject: actor.sub,
        sid: actor.sid,
        client: client.id.clone(),
        is_acting: false,
    };
    let audience = target(client, form)?;
    let asked = Asked {
        id,
        scopes: scopes(form)?,
        registered: &client.scopes,
        audience,
    };
    let exchanged = app
        .db
        .run(Authority::agent(agent.subject), async |tx| {
            exchange::exchange(tx, app, &agent, asked).await
        })
        .await?;
    match exchanged {
        Exchanged::Lent(lent) => Ok(acting::access(
            app,
            client,
            &Acting::under_grant(&lent),
            audience,
        )),
        Exchanged::Unknown => Err(OAuthError::invalid_grant("no such grant of this actor's")),
        Exchanged::BeyondScope => Err(beyond_scope()),
        Exchanged::Denied(denial) => Err(denied(denial.is_of_the_target(), denial.word())),
    }
}

async fn under_delegation(
    app: &App,
    client: &Client,
    form: &Parameters,
) -> Result<TokenResponse, OAuthError> {
    let id: DelegationId = subject_token(form)?;
    let actor = actor(app, client, required(form, "actor_token")?)?;
    if actor.tid == TenantId::PLATFORM {
        return Err(OAuthError::invalid_grant("nobody's proxy"));
    }
    let by = Presenter {
        tenant: actor.tid,
        subject: actor.sub,
        sid: actor.sid,
        client: client.id.clone(),
    };
    let audience = target(client, form)?;
    let asked = delegation::Asked {
        id,
        scopes: scopes(form)?,
        registered: &client.scopes,
        audience,
    };
    let exchanged = app
        .db
        .run(Authority::caller(by.tenant, by.subject), async |tx| {
            delegation::exchange(tx, app, &by, asked).await
        })
        .await?;
    match exchanged {
        delegation::Exchanged::Lent(lent) => {
            let acting = Acting::under_delegation(&lent);
            Ok(acting::access(app, client, &acting, audience))
        }
        delegation::Exchanged::Unknown => {
            Err(OAuthError::invalid_grant("no such delegation of his"))
        }
        delegation::Exchanged::BeyondScope => Err(beyond_scope()),
        delegation::Exchanged::Denied(denial) => {
            Err(denied(denial.is_of_the_target(), denial.word()))
        }
    }
}

fn unauthorized(detail: &'static str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::UnauthorizedClient, detail)
}

fn beyond_scope() -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidScope, "beyond what is lent")
}

fn denied(is_of_the_target: bool, word: &'static str) -> OAuthError {
    if is_of_the_target {
        OAuthError::new(OAuthErrorCode::InvalidTarget, word)
    } else {
        OAuthError::invalid_grant(word)
    }
}

/// What an id names that is none of ours is unknown.
fn subject_token<T: FromStr>(form: &Parameters) -> Result<T, OAuthError> {
    let id = required(form, "subject_token")?.parse();
    id.map_err(|_| OAuthError::invalid_grant("not in our format"))
}

/// Which scopes are asked for, if any are (RFC 8693 §2.1).
fn scopes(form: &Parameters) -> Result<Option<Vec<String>>, OAuthError> {
    let words = one(form, "scope")?;
    Ok(words.map(|words| {
        let words = words.split(' ').filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    }))
}

/// Who acts, by his own token.
struct ActorOf {
    sub: SubjectId,
    tid: TenantId,
    sid: TenantSessionId,
}

/// By a live token that this very client got, and that nobody acts with already.
fn actor(app: &App, client: &Client, token: &str) -> Result<ActorOf, OAuthError> {
    let refused = |why| Err(OAuthError::invalid_grant(why));
    let claims: Option<ActorClaims> = signing::open(&app.ring(), TokenType::AccessToken, token);
    let Some(claims) = claims else {
        return refused("not an access token of ours");
    };
    if claims.act.is_some() {
        return Err(OAuthError::field("actor_token", "it acts already"));
    }
    let is_live = app.env.now().unix_timestamp() < claims.exp && claims.iss == app.issuer();
    let is_the_clients =
        claims.client_id == client.id.as_str() && client.audiences.contains(&claims.aud);
    // Of a clinic's own app, its own members' alone; the platform's apps are all clinics'.
    let is_its_tenants = [TenantId::PLATFORM, claims.tid].contains(&client.tenant);
    match claims.sid {
        Some(sid) if is_live && is_the_clients && is_its_tenants => Ok(ActorOf {
            sub: claims.sub,
            tid: claims.tid,
            sid,
        }),
        _ => refused("not the actor's token, or it is over"),
    }
}

/// The one API that is asked for (RFC 8693 §2.1): by `resource` or `audience`, one of the client's.
fn target<'a>(client: &'a Client, form: &Parameters) -> Result<&'a str, OAuthError> {
    let mut asked = form.all("resource").chain(form.all("audience"));
    let audience = match (asked.next(), asked.next()) {
        (None, _) => client.audiences.first(),
        (Some(asked), None) => client.audiences.iter().find(|known| *known == asked),
        (Some(_), Some(_)) => None,
    };
    let not_its_own = || OAuthError::new(OAuthErrorCode::InvalidTarget, "not one of its APIs");
    audience.map(String::as_str).ok_or_else(not_its_own)
}

fn one<'a>(form: &'a Parameters, name: &'static str) -> Result<Option<&'a str>, OAuthError> {
    form.one(name).map_err(malformed_form)
}

fn required<'a>(form: &'a Parameters, name: &'static str) -> Result<&'a str, OAuthError> {
    one(form, name)?.ok_or_else(|| OAuthError::field(name, "missing"))
}
