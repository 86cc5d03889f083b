//! `grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.6).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use secrecy::SecretString;
use serde_json::json;

use super::minting::{self, Issue};
use super::{TokenResponse, malformed_form};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, Proved, StoreError, Tx};
use crate::http::form::Parameters;
use crate::http::oauth_error::OAuthError;
use crate::identity::membership::{Member, store as membership};
use crate::oidc::client::Client;
use crate::oidc::code::{IssuedCode, PresentedCode, service as codes};
use crate::oidc::consent::service as consents;
use crate::oidc::family::exchange::NewFamily;
use crate::oidc::family::model::EndReason;
use crate::oidc::family::service as families;
use crate::sessions::service::{self as sessions, Standing};

/// What a redemption ended in; committed either way.
enum Outcome {
    Redeemed(Box<Redeemed>),
    Refused(&'static str),
}

struct Redeemed {
    code: IssuedCode,
    member: Member,
    standing: Standing,
    refresh_token: SecretString,
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
    let one = |name| form.one(name).map_err(malformed_form);
    let code = one("code")?.ok_or_else(|| OAuthError::field("code", "missing"))?;
    let redirect_uri = one("redirect_uri")?;
    let verifier = one("code_verifier")?;
    let presented =
        PresentedCode::parse(code).ok_or_else(|| OAuthError::invalid_grant("not our format"))?;
    let authority = Authority::<Identity>::presented_in(presented.tenant);
    let outcome = app
        .db
        .run(authority, async |tx| {
            spend(tx, app, client, &presented, (redirect_uri, verifier)).await
        })
        .await?;
    let redeemed = match outcome {
        Outcome::Refused(reason) => return Err(OAuthError::invalid_grant(reason)),
        Outcome::Redeemed(redeemed) => redeemed,
    };
    let clocks = redeemed.standing.clocks();
    let lifetime = app.config.lifetimes.access_token;
    let issue = Issue {
        tenant: presented.tenant,
        member: &redeemed.member,
        client,
        standing: &redeemed.standing,
        clocks,
        scopes: &redeemed.code.scopes,
        audience: &redeemed.code.audience,
        nonce: redeemed.code.nonce.as_deref(),
        access_ends_at: (app.env.now() + lifetime).min(clocks.session_ends_at),
    };
    Ok(minting::person(app, &issue, Some(redeemed.refresh_token)))
}

async fn spend(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    presented: &PresentedCode,
    (redirect_uri, verifier): (Option<&str>, Option<&str>),
) -> Result<Outcome, StoreError> {
    let Some(code) = codes::find(tx, app, presented).await? else {
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
    if code.expires_at <= app.env.now() {
        return refuse(tx, app, client, presented, "expired").await;
    }
    if redirect_uri != Some(code.redirect_uri.as_str()) {
        return refuse(tx, app, client, presented, "another redirect address").await;
    }
    // Spent before the verifier is judged: a wrong one burns the code (TOK-05).
    if !codes::spend(tx, app, &code).await? {
        return replayed(tx, app, client, &code).await;
    }
    if !is_proved(code.code_challenge.as_deref(), verifier) {
        return refuse(tx, app, client, presented, "code verifier").await;
    }
    let proved = Proved::by_check(code.account);
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
    let lifetimes = &app.config.lifetimes;
    let longest = if client.kind.is_public() {
        lifetimes.refresh_public
    } else {
        lifetimes.refresh_confidential
    };
    let started = families::start_family(
        tx,
        app,
        NewFamily {
            client: &client.id,
            key_binding: None,
            account: code.account,
            subject: code.subject,
            session: code.session,
            scopes: &code.scopes,
            audience: &code.audience,
            absolute_end_at: (now + longest).min(standing.clocks().session_ends_at),
        },
    )
    .await?;
    codes::mark_given(tx, &code, started.family).await?;
    let detail = json!({ "client_id": client.id, "code": code.id, "family": started.family });
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

/// RFC 7636 §4.6; a verifier without a challenge is a downgrade (RFC 9700 §4.8.2).
fn is_proved(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            let is_shaped = (43..=128).contains(&verifier.len())
                && verifier
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
            let hashed = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            // The challenge is no secret, and its preimage can't be found byte by byte.
            is_shaped && hashed == challenge
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    #[test]
    fn the_verifier_of_the_standard_meets_its_challenge_and_no_other_does() {
        let challenge = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(is_proved(challenge, Some(verifier)));
        assert!(
            !is_proved(challenge, Some(&verifier[..42])),
            "TOK-05: 42 characters"
        );
        assert!(
            !is_proved(challenge, Some(&"a".repeat(129))),
            "TOK-05: 129 characters"
        );
        assert!(!is_proved(challenge, None));
        assert!(!is_proved(None, Some(verifier)), "TOK-05: unasked for");
    }
}
