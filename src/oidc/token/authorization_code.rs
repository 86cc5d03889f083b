//! `grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.6).

use http::HeaderMap;
use secrecy::SecretString;
use serde_json::json;

use super::minting::{self, Issue};
use super::{TokenResponse, malformed_form};
use crate::app::App;
use crate::audit::{self, EventType, Trace};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::http::form::Parameters;
use crate::http::oauth_error::OAuthError;
use crate::identity::membership::store as membership;
use crate::ids::TenantId;
use crate::oidc::client::Client;
use crate::oidc::client::authentication::present;
use crate::oidc::code::redemption::{self, Asked, Bought, Redeemed, Redemption};
use crate::oidc::code::{IssuedCode, PresentedCode, service as codes};
use crate::oidc::consent::service as consents;
use crate::oidc::family::model::EndReason;
use crate::oidc::family::service as families;
use crate::sessions::service as sessions;

/// What a redemption ended in; committed either way.
enum Outcome {
    Redeemed(Box<Redeemed>),
    Refused(&'static str),
}

/// Reads what a form asks for.
fn read(form: &Parameters) -> Result<Asked, OAuthError> {
    let one = |name| form.one(name).map_err(malformed_form);
    let code = one("code")?.ok_or_else(|| OAuthError::field("code", "missing"))?;
    Ok(Asked {
        redirect_uri: one("redirect_uri")?.map(str::to_owned),
        verifier: one("code_verifier")?.map(SecretString::from),
        presented: PresentedCode::parse(code)
            .ok_or_else(|| OAuthError::invalid_grant("not our format"))?,
    })
}

/// The common case, in a turn with others: an active client that proves itself redeems a good
/// code.
/// `None`: it is not that, or not known to be, and [`redeem`] must say after the client has
/// authenticated. Nothing was written then, or it counts as a second use there.
pub async fn redeem_together(
    app: &App,
    headers: &HeaderMap,
    form: &Parameters,
) -> Option<TokenResponse> {
    let by = present(headers, form).ok()?;
    let redemption = Redemption {
        asked: read(form).ok()?,
        client_tenant: app.clients.tenant_of(&by.id)?,
        by,
        trace: Trace::current(),
    };
    let tenant = redemption.asked.presented.tenant;
    let mint = |(client, redeemed): Bought| mint(app, &client, tenant, redeemed);
    redemption::redeem(app, redemption, mint).await
}

/// Redeems a code, once. A second use ends what the first gave.
///
/// # Errors
/// `invalid_request` for a missing field; `invalid_grant` for every other fault.
pub async fn redeem(
    app: &App,
    client: &Client,
    form: &Parameters,
) -> Result<TokenResponse, OAuthError> {
    let asked = read(form)?;
    let tenant = asked.presented.tenant;
    let outcome = app
        .db
        .run(Authority::<Identity>::presented_in(tenant), async |tx| {
            spend(tx, app, client, &asked).await
        })
        .await?;
    match outcome {
        Outcome::Refused(reason) => Err(OAuthError::invalid_grant(reason)),
        Outcome::Redeemed(redeemed) => Ok(mint(app, client, tenant, *redeemed)),
    }
}

fn mint(app: &App, client: &Client, tenant: TenantId, redeemed: Redeemed) -> TokenResponse {
    let clocks = redeemed.standing.clocks();
    let lifetime = app.config.lifetimes.access_token;
    let issue = Issue {
        tenant,
        member: &redeemed.member,
        client,
        standing: &redeemed.standing,
        clocks,
        scopes: &redeemed.code.scopes,
        audience: &redeemed.code.audience,
        nonce: redeemed.code.nonce.as_deref(),
        access_ends_at: (app.env.now() + lifetime).min(clocks.session_ends_at),
    };
    minting::person(app, &issue, Some(redeemed.refresh_token))
}

async fn spend(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    asked: &Asked,
) -> Result<Outcome, StoreError> {
    let presented = &asked.presented;
    let Some((code, proved)) = codes::find(tx, app, presented).await? else {
        // Nobody's: to the platform's log, since what names a tenant need not be of it.
        tx.proceed(Authority::claim(presented.id.as_uuid())).await?;
        return refuse(tx, app, client, presented, "unknown").await;
    };
    // A stranger changes nothing (TOK-01).
    if code.client != client.id {
        return refuse(tx, app, client, presented, "another client's").await;
    }
    if code.spent_at.is_some() {
        return replayed(tx, app, client, &code).await;
    }
    if let Some(fault) = code.fault(asked.redirect_uri.as_deref(), app.env.now()) {
        return refuse(tx, app, client, presented, fault).await;
    }
    // Spent before the verifier is judged: a wrong one burns the code (TOK-05).
    if !codes::spend(tx, app, &code).await? {
        return replayed(tx, app, client, &code).await;
    }
    if !code.is_proved(asked.verifier.as_ref()) {
        return refuse(tx, app, client, presented, "code verifier").await;
    }
    tx.proceed(Authority::member(proved, presented.tenant, code.subject))
        .await?;
    give(tx, app, client, presented, code).await
}

async fn give(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    presented: &PresentedCode,
    code: IssuedCode,
) -> Result<Outcome, StoreError> {
    let now = app.env.now();
    let client_app = client.app.as_deref().unwrap_or_default();
    let standing = sessions::find_in_tenant(tx, app, code.session, client_app).await?;
    let live = standing.filter(|standing| standing.clocks().is_live(now));
    let Some(standing) = live else {
        return refuse(tx, app, client, presented, "session over").await;
    };
    let member = membership::find(tx, presented.tenant, code.subject).await?;
    let Some(member) = member.filter(|member| member.is_active) else {
        return refuse(tx, app, client, presented, "not an active member").await;
    };
    if !consents::still_stands(tx, client, code.subject, &code.scopes).await? {
        return refuse(tx, app, client, presented, "consent withdrawn").await;
    }
    let new = redemption::new_family(app, client, &code, &standing, now);
    let started = families::start_family(tx, app, new).await?;
    codes::mark_given(tx, &code, started.family).await?;
    let detail = redemption::told(client, &code, started.family);
    audit::append(tx, &app.env, &app.keys, EventType::CodeRedeemed, detail).await?;
    let refresh_token = started.refresh_token;
    Ok(Outcome::Redeemed(Box::new(Redeemed {
        code,
        member,
        standing,
        refresh_token,
    })))
}

/// RFC 9700 §4.1.2 of a code used twice: what the first use gave ends.
async fn replayed(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    code: &IssuedCode,
) -> Result<Outcome, StoreError> {
    if let Some(family) = code.family {
        families::end_family(tx, app, family, EndReason::CodeReplayed).await?;
    }
    let detail = json!({ "client_id": client.id, "code": code.id, "family": code.family });
    audit::append(tx, &app.env, &app.keys, EventType::CodeReplayed, detail).await?;
    Ok(Outcome::Refused("replayed"))
}

async fn refuse(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    presented: &PresentedCode,
    reason: &'static str,
) -> Result<Outcome, StoreError> {
    let detail = json!({ "client_id": client.id, "code": presented.id, "reason": reason });
    audit::append(tx, &app.env, &app.keys, EventType::CodeRejected, detail).await?;
    Ok(Outcome::Refused(reason))
}
