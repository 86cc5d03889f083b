//! `grant_type=urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693): a grant to act as
//! somebody, with its actor's own token, for a token under `act`. Nothing else is exchanged.

use serde::Deserialize;
use serde_json::Value;

use super::{TokenResponse, malformed_form, minting};
use crate::app::App;
use crate::db::Authority;
use crate::http::form::Parameters;
use crate::http::oauth_error::{OAuthError, OAuthErrorCode};
use crate::ids::{ImpersonationId, SubjectId, TenantId, TenantSessionId};
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

/// Exchanges a grant (`subject_token`) and the actor's access token (`actor_token`).
///
/// # Errors
/// `unauthorized_client` for any but a confidential app of the platform's; `invalid_request` for
/// other types of tokens and for a chain (IMP-02); `invalid_target` for an API that is not the
/// client's and for somebody who may not be acted as (IMP-01); `invalid_scope` beyond what is lent
/// (IMP-09); `invalid_grant` for everything else.
pub async fn exchange(
    app: &App,
    client: &Client,
    form: &Parameters,
) -> Result<TokenResponse, OAuthError> {
    if client.kind != ClientKind::Web || client.tenant != TenantId::PLATFORM {
        let detail = "only the support's own app exchanges";
        return Err(OAuthError::new(OAuthErrorCode::UnauthorizedClient, detail));
    }
    must_be(form, "subject_token_type", IMPERSONATION_GRANT)?;
    must_be(form, "actor_token_type", ACCESS_TOKEN)?;
    if one(form, "requested_token_type")?.is_some_and(|wanted| wanted != ACCESS_TOKEN) {
        return Err(OAuthError::field(
            "requested_token_type",
            "only access tokens are given",
        ));
    }
    let grant = required(form, "subject_token")?;
    let agent = actor(app, client, required(form, "actor_token")?)?;
    let audience = target(client, form)?;
    let asked = Asked {
        // Not an id of ours: no such grant.
        id: grant
            .parse::<ImpersonationId>()
            .map_err(|_| OAuthError::invalid_grant("not in our format"))?,
        scopes: one(form, "scope")?.map(|words| {
            let words = words.split(' ').filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        }),
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
        Exchanged::Lent(lent) => Ok(minting::acting(app, client, &lent, audience)),
        Exchanged::Unknown => Err(OAuthError::invalid_grant("no such grant of this actor's")),
        Exchanged::BeyondScope => Err(OAuthError::new(
            OAuthErrorCode::InvalidScope,
            "beyond what is lent",
        )),
        Exchanged::Denied(denial) if denial.is_of_the_target() => Err(OAuthError::new(
            OAuthErrorCode::InvalidTarget,
            denial.word(),
        )),
        Exchanged::Denied(denial) => Err(OAuthError::invalid_grant(denial.word())),
    }
}

/// Who acts: a member of the platform's tenant, by a live token that this very client got.
fn actor(app: &App, client: &Client, token: &str) -> Result<Agent, OAuthError> {
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
    match claims.sid {
        Some(sid) if is_live && is_the_clients && claims.tid == TenantId::PLATFORM => Ok(Agent {
            subject: claims.sub,
            sid,
            client: client.id.clone(),
            is_acting: false,
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

fn must_be(form: &Parameters, name: &'static str, known: &str) -> Result<(), OAuthError> {
    if required(form, name)? == known {
        Ok(())
    } else {
        Err(OAuthError::field(name, "not one that is exchanged"))
    }
}
