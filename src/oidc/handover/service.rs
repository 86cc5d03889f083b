//! Making a transfer, coming in with it, and coming back silently. A refusal commits.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::model::{
    Handover, HandoverCode, PresentedHandover, PresentedHandoverCode, TRANSFER_LIFE, Transfer,
};
use super::policy;
use super::store;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::membership::store as membership;
use crate::ids::{ClientId, CodeId, HandoverId, TenantId};
use crate::impersonation::Grant;
use crate::impersonation::exchange::{self, Ground, Looked};
use crate::impersonation::service::{Agent, told};
use crate::oidc::authorize::{AuthorizeError, Wanted};
use crate::oidc::bearer::{Bearer, microseconds, whole_microsecond};
use crate::oidc::client::Client;
use crate::oidc::id_token_hint::Hint;
use crate::oidc::interaction::AuthorizeRequest;
use crate::secret::KeyedDigest;

/// A transfer that was made.
pub(crate) struct Made {
    /// For the app: it proves nothing.
    pub(crate) login_hint: String,
    /// For the browser's cookie, without which the hint is worth nothing.
    pub(crate) cookie: SecretString,
}

/// Makes a transfer into `client`, as who acts, on ground that was just looked at.
pub(crate) async fn make(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
    grant: &Grant,
    client: &ClientId,
) -> Result<Made, StoreError> {
    let now = app.env.now();
    let new = Handover {
        tenant: grant.tenant,
        id: HandoverId::from_uuid(app.env.random_uuid()),
        grant: grant.id,
        client: client.clone(),
        actor: agent.subject,
        actor_sid: agent.sid,
        expires_at: whole_microsecond(now + TRANSFER_LIFE),
        spent_at: None,
    };
    let shown = fresh(app, &new);
    let digest = transfer_digest(app, &new, &shown);
    store::insert(tx, &new, digest.as_bytes(), whole_microsecond(now)).await?;
    let mut detail = told(grant.actor, grant.subject, grant.id);
    detail["client_id"] = json!(client);
    let event = EventType::ImpersonationTransferMade;
    audit::append(tx, &app.env, &app.keys, event, detail).await?;
    let transfer = Transfer {
        tenant: new.tenant,
        id: new.id,
    };
    Ok(Made {
        login_hint: transfer.hint(),
        cookie: shown.value(),
    })
}

/// What a request under `act` came to.
pub(crate) enum Answer {
    /// A code.
    Code(SecretString),
    /// A code, and the cookie of the session that was opened.
    Entered(SecretString, SecretString),
    /// Back to the client with an error; no page.
    Refused(AuthorizeError),
}

/// A request with a transfer's hint: spends the transfer, opens the browser's session under the
/// grant, gives a code. Whatever is wrong is refused; the actor's own session is not looked at.
pub(crate) async fn enter(
    app: &App,
    hint: &str,
    cookie: Option<&PresentedHandover>,
    (client, wanted): (&Client, &Wanted),
    request: &AuthorizeRequest,
) -> Result<Answer, StoreError> {
    if let Err(error) = policy::needs_no_page(request) {
        return Ok(Answer::Refused(error));
    }
    let Some(transfer) = Transfer::parse(hint) else {
        return app
            .db
            .run(Authority::claim(uuid::Uuid::nil()), async |tx| {
                refuse(tx, app, client, "transfer_malformed").await
            })
            .await;
    };
    let authority = Authority::<Identity>::presented_in(transfer.tenant);
    app.db
        .run(authority, async |tx| {
            let Some(kept) = store::find(tx, transfer.tenant, transfer.id).await? else {
                // Nobody's: to the platform's log, since what names a tenant need not be of it.
                tx.proceed(Authority::claim(transfer.id.as_uuid())).await?;
                return refuse(tx, app, client, "transfer_unknown").await;
            };
            let handover = &kept.handover;
            let shown = cookie.filter(|cookie| {
                cookie.names(transfer)
                    && transfer_digest(app, handover, cookie).matches(&kept.transfer_digest)
            });
            if shown.is_none() {
                return refuse(tx, app, client, "transfer_of_another_browser").await;
            }
            // A stranger spends nothing.
            if handover.client != client.id {
                return refuse(tx, app, client, "transfer_of_another_client").await;
            }
            if !is_wanted(tx, handover.tenant, wanted).await? {
                return refuse(tx, app, client, "transfer_of_another_clinic").await;
            }
            open(tx, app, client, request, handover).await
        })
        .await
}

async fn open(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    request: &AuthorizeRequest,
    handover: &Handover,
) -> Result<Answer, StoreError> {
    let session = fresh(app, handover);
    let digest = session_digest(app, handover, &session);
    let at = (handover.tenant, handover.id);
    let now = whole_microsecond(app.env.now());
    if !store::spend(tx, at, digest.as_bytes(), now).await? {
        let reason = if handover.spent_at.is_some() {
            "transfer_spent"
        } else {
            "transfer_late"
        };
        return refuse(tx, app, client, reason).await;
    }
    let Some(ground) = stand(tx, app, handover, &client.id).await? else {
        return Ok(Answer::Refused(AuthorizeError::AccessDenied));
    };
    let grant = &ground.grant;
    let mut detail = told(grant.actor, grant.subject, grant.id);
    detail["client_id"] = json!(client.id);
    let event = EventType::ImpersonationEntered;
    audit::append(tx, &app.env, &app.keys, event, detail).await?;
    Ok(
        match issue(tx, app, client, request, (handover, &ground)).await? {
            Answer::Code(code) => Answer::Entered(code, session.value()),
            refused => refused,
        },
    )
}

/// A request with an ID token under `act` as its hint: only the browser's session under that very
/// grant answers, as long as the grant stands. The actor's own session is not looked at.
pub(crate) async fn renew(
    app: &App,
    hint: &Hint,
    cookie: Option<&PresentedHandover>,
    (client, wanted): (&Client, &Wanted),
    request: &AuthorizeRequest,
) -> Result<Answer, StoreError> {
    if let Err(error) = policy::needs_no_page(request) {
        return Ok(Answer::Refused(error));
    }
    let over = Answer::Refused(AuthorizeError::LoginRequired);
    let Some(cookie) = cookie.filter(|_| hint.client == client.id) else {
        return Ok(over);
    };
    let named = (cookie.0.tenant, HandoverId::from_uuid(cookie.0.id));
    let authority = Authority::<Identity>::presented_in(named.0);
    app.db
        .run(authority, async |tx| {
            let Some(kept) = store::find(tx, named.0, named.1).await? else {
                return Ok(over);
            };
            let handover = &kept.handover;
            let is_its_session = kept
                .session_digest
                .as_deref()
                .is_some_and(|stored| session_digest(app, handover, cookie).matches(stored));
            let is_of_hint =
                handover.tenant == hint.tenant && handover.grant.as_uuid() == hint.sid.as_uuid();
            if !is_its_session || !is_of_hint || !is_wanted(tx, handover.tenant, wanted).await? {
                return Ok(over);
            }
            match stand(tx, app, handover, &client.id).await? {
                Some(ground) => issue(tx, app, client, request, (handover, &ground)).await,
                None => Ok(over),
            }
        })
        .await
}

/// Looks at everything again; goes on as who acts.
pub(super) async fn stand(
    tx: &mut Tx<Identity>,
    app: &App,
    handover: &Handover,
    client: &ClientId,
) -> Result<Option<Box<Ground>>, StoreError> {
    let agent = Agent {
        subject: handover.actor,
        sid: handover.actor_sid,
        client: client.clone(),
        is_acting: false,
    };
    tx.proceed(Authority::agent(agent.subject)).await?;
    Ok(
        match exchange::look(tx, app, &agent, handover.grant).await? {
            Looked::Stands(ground) => Some(ground),
            Looked::Unknown | Looked::Denied(_) => None,
        },
    )
}

async fn issue(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    request: &AuthorizeRequest,
    (handover, ground): (&Handover, &Ground),
) -> Result<Answer, StoreError> {
    let scopes = policy::lent_of(&request.scopes, &ground.lent);
    if scopes.is_empty() {
        return Ok(Answer::Refused(AuthorizeError::InvalidScope));
    }
    let now = app.env.now();
    let code = HandoverCode {
        id: CodeId::from_uuid(app.env.random_uuid()),
        client: client.id.clone(),
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        scopes,
        audience: request.audience.clone(),
        expires_at: whole_microsecond(now + app.config.lifetimes.authorization_code),
        spent_at: None,
    };
    let bearer = Bearer::new(handover.tenant, code.id.as_uuid(), app.env.random_bytes());
    let shown = PresentedHandoverCode(bearer);
    let digest = code_digest(app, handover, &code, &shown);
    let of = (handover.tenant, handover.id);
    store::insert_code(tx, of, &code, digest.as_bytes(), now).await?;
    let mut detail = told(ground.grant.actor, ground.grant.subject, ground.grant.id);
    detail["client_id"] = json!(client.id);
    detail["scopes"] = json!(code.scopes);
    detail["code"] = json!(code.id);
    let event = EventType::AuthorizeGranted;
    audit::append(tx, &app.env, &app.keys, event, detail).await?;
    Ok(Answer::Code(shown.value()))
}

/// Whether a request is for this clinic, or says nothing of one.
async fn is_wanted(
    tx: &mut Tx<Identity>,
    tenant: TenantId,
    wanted: &Wanted,
) -> Result<bool, StoreError> {
    Ok(match wanted {
        Wanted::Any => true,
        Wanted::Id(id) => *id == tenant,
        Wanted::Slug(slug) => {
            let clinic = membership::find_clinic_by_id(tx, tenant).await?;
            clinic.is_some_and(|clinic| clinic.slug == *slug)
        }
    })
}

async fn refuse(
    tx: &mut Tx<Identity>,
    app: &App,
    client: &Client,
    reason: &'static str,
) -> Result<Answer, StoreError> {
    let detail: Value = json!({ "client_id": client.id, "reason": reason });
    let event = EventType::AuthorizeRejected;
    audit::append(tx, &app.env, &app.keys, event, detail).await?;
    Ok(Answer::Refused(AuthorizeError::AccessDenied))
}

fn fresh(app: &App, handover: &Handover) -> PresentedHandover {
    let (tenant, id) = (handover.tenant, handover.id.as_uuid());
    PresentedHandover(Bearer::new(tenant, id, app.env.random_bytes()))
}

/// Over the secret and all that the transfer is bound to: a planted row never matches.
fn transfer_digest(app: &App, of: &Handover, shown: &PresentedHandover) -> KeyedDigest {
    let ends = microseconds(of.expires_at);
    digest(app, "handover_transfer", of, shown, &ends)
}

fn session_digest(app: &App, of: &Handover, shown: &PresentedHandover) -> KeyedDigest {
    digest(app, "handover_session", of, shown, &[])
}

fn digest(
    app: &App,
    purpose: &str,
    of: &Handover,
    shown: &PresentedHandover,
    more: &[u8],
) -> KeyedDigest {
    app.keys.digest(
        purpose,
        shown.0.expose(),
        &[
            of.tenant.as_uuid().as_bytes(),
            of.id.as_uuid().as_bytes(),
            of.grant.as_uuid().as_bytes(),
            of.actor_sid.as_uuid().as_bytes(),
            of.client.as_str().as_bytes(),
            more,
        ],
    )
}

pub(super) fn code_digest(
    app: &App,
    of: &Handover,
    code: &HandoverCode,
    shown: &PresentedHandoverCode,
) -> KeyedDigest {
    let challenge = code.code_challenge.as_deref().unwrap_or_default();
    app.keys.digest(
        "handover_code",
        shown.0.expose(),
        &[
            of.tenant.as_uuid().as_bytes(),
            code.id.as_uuid().as_bytes(),
            of.id.as_uuid().as_bytes(),
            code.client.as_str().as_bytes(),
            code.redirect_uri.as_bytes(),
            challenge.as_bytes(),
            &microseconds(code.expires_at),
        ],
    )
}
