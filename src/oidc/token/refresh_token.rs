//! `grant_type=refresh_token` (RFC 6749 §6, RFC 9700 §4.14). The rules: `oidc/family/policy.rs`.

use http::HeaderMap;

use super::minting::{self, Issue};
use super::{TokenResponse, malformed_form};
use crate::app::App;
use crate::audit::Trace;
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::http::form::Parameters;
use crate::http::oauth_error::{OAuthError, OAuthErrorCode};
use crate::http::peer::Peer;
use crate::identity::membership::{Member, store as membership};
use crate::oidc::authorize::request::PROTOCOL_SCOPES;
use crate::oidc::client::Client;
use crate::oidc::client::authentication::present;
use crate::oidc::family::refresh_token::PresentedRefreshToken;
use crate::oidc::family::refusal::{RefreshRefusal, RefusalWord};
use crate::oidc::family::rotation::{self, Refresh, Rotated};
use crate::oidc::family::{Asked, Given, Presenter, RefreshOutcome, service as families};

/// What a presentation ended in; committed either way.
enum Outcome {
    Given(Box<Given>, Member),
    Refused(RefreshRefusal),
}

/// Reads what a form asks for.
fn read(form: &Parameters) -> Result<Asked, OAuthError> {
    let one = |name| form.one(name).map_err(malformed_form);
    let token =
        one("refresh_token")?.ok_or_else(|| OAuthError::field("refresh_token", "missing"))?;
    let words = |scope: &str| {
        let words = scope.split(' ').filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    Ok(Asked {
        scopes: one("scope")?.map(words),
        resources: form.all("resource").map(str::to_owned).collect(),
        presented: PresentedRefreshToken::parse(token)
            .ok_or_else(|| OAuthError::invalid_grant("not our format"))?,
    })
}

/// The common case, in a turn with others: an active client that proves itself rotates a good
/// token.
/// `None`: it is not that, or not known to be, and [`refresh`] must say after the client has
/// authenticated. Nothing was written then, or it is given again there.
pub async fn rotate(
    app: &App,
    peer: &Peer,
    headers: &HeaderMap,
    form: &Parameters,
) -> Option<TokenResponse> {
    let by = present(headers, form).ok()?;
    let refresh = Refresh {
        asked: read(form).ok()?,
        client_tenant: app.clients.tenant_of(&by.id)?,
        by,
        peer: peer.clone(),
        trace: Trace::current(),
    };
    let tenant = refresh.asked.presented.tenant();
    let mint = |rotated: Rotated| {
        let Rotated {
            client,
            given,
            member,
        } = rotated;
        mint(app, &client, tenant, *given, &member)
    };
    rotation::rotate(app, refresh, mint).await
}

/// Exchanges a refresh token for an access token and, unless the client's do not rotate, the
/// token's successor.
///
/// # Errors
/// `invalid_request` for a missing or repeated field; `invalid_scope` and `invalid_target` for
/// more than was granted, and then the token is not spent; `invalid_grant` for all else.
pub async fn refresh(
    app: &App,
    client: &Client,
    peer: &Peer,
    form: &Parameters,
) -> Result<TokenResponse, OAuthError> {
    let asked = read(form)?;
    let presented = &asked.presented;
    let from = asked.by(client, peer);
    let authority = Authority::<Identity>::presented_in(presented.tenant());
    let outcome = app
        .db
        .run(authority, async |tx| {
            decide(tx, app, presented, &from).await
        })
        .await?;
    match outcome {
        Outcome::Given(given, member) => Ok(mint(app, client, presented.tenant(), *given, &member)),
        Outcome::Refused(refusal) => Err(OAuthError::new(word(refusal), refusal.name())),
    }
}

async fn decide(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedRefreshToken,
    from: &Presenter<'_>,
) -> Result<Outcome, StoreError> {
    match families::refresh(tx, app, presented, from).await? {
        RefreshOutcome::Refused(refusal) => Ok(Outcome::Refused(refusal)),
        RefreshOutcome::Given(given) => {
            let member = membership::find(tx, presented.tenant(), given.subject).await?;
            let member = member.ok_or(StoreError::Corrupt {
                table: "identity.membership",
                what: "a family without its member",
            })?;
            Ok(Outcome::Given(given, member))
        }
    }
}

/// Signed on the task that answers: after the commit, or while a turn's is on its way, which gives
/// out nothing that does not come to count.
fn mint(
    app: &App,
    client: &Client,
    tenant: crate::ids::TenantId,
    mut given: Given,
    member: &Member,
) -> TokenResponse {
    // What was taken from the client since is not given again (RT-13).
    given
        .scopes
        .retain(|scope| PROTOCOL_SCOPES.contains(&scope.as_str()) || client.scopes.contains(scope));
    let issue = Issue {
        tenant,
        member,
        client,
        standing: &given.standing,
        clocks: given.clocks,
        scopes: &given.scopes,
        audience: &given.audience,
        nonce: None, // OIDC Core §12.2: a refreshed ID token need not have one
        access_ends_at: given.access_ends_at,
    };
    minting::person(app, &issue, given.refresh_token)
}

const fn word(refusal: RefreshRefusal) -> OAuthErrorCode {
    match refusal.wire() {
        RefusalWord::InvalidGrant => OAuthErrorCode::InvalidGrant,
        RefusalWord::InvalidScope => OAuthErrorCode::InvalidScope,
        RefusalWord::InvalidTarget => OAuthErrorCode::InvalidTarget,
    }
}
