//! From a checked request to an answer: who is she, which clinic, and then a code.

use secrecy::SecretString;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::AuthorizeError;
use super::policy::{self, ClinicChoice, Facts, SessionFacts, Step};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::http::browser::Browser;
use crate::identity::membership::{Clinic, Membership, store as membership};
use crate::ids::{ClientId, InteractionId, TenantId};
use crate::oidc::client::{Client, ClientStatus, service as client_service};
use crate::oidc::code::{IssuedCode, service as code_service};
use crate::oidc::id_token_hint;
use crate::oidc::interaction::{
    AuthorizeRequest, Interaction, Pending, Prompt, Purpose, service as interaction,
};
use crate::sessions::{PresentedSession, Session, service as sessions};

/// What the browser is told.
pub(super) enum Answer {
    /// Go to the sign-in pages.
    SignIn(InteractionId),
    /// Go to the chooser.
    ChooseClinic(InteractionId),
    /// Back to the client with a code.
    Code(Box<AuthorizeRequest>, SecretString),
    /// Back to the client with an error.
    Refuse(Box<AuthorizeRequest>, AuthorizeError),
}

/// The clinic that a request is for, as far as it says.
enum Wanted {
    /// Any that is clear.
    Any,
    /// This one.
    Id(TenantId),
    /// The one of this name.
    Slug(String),
}

impl Wanted {
    fn is(&self, membership: &Membership) -> bool {
        match self {
            Self::Any => true,
            Self::Id(id) => membership.clinic.tenant_id == *id,
            Self::Slug(slug) => membership.clinic.slug == *slug,
        }
    }
}

/// The client, if known and active.
pub(super) async fn find_client(app: &App, id: &ClientId) -> Result<Option<Client>, StoreError> {
    let authority = Authority::<Identity>::claim(client_service::locator(&app.keys, id));
    let found = app
        .db
        .run(authority.read_only(), async |tx| {
            client_service::find_claimed(tx, &app.keys, id).await
        })
        .await?;
    Ok(found.filter(|client| client.status == ClientStatus::Active))
}

/// An unknown client or address is on the record (AUTHZ-01).
pub(super) async fn record_rejected(app: &App, id: &ClientId) -> Result<(), StoreError> {
    let authority = Authority::<Identity>::claim(client_service::locator(&app.keys, id));
    app.db
        .run(authority, async |tx| {
            let detail = json!({ "client_id": id, "reason": "client_or_redirect" });
            audit::append(
                tx,
                &app.env,
                &app.keys,
                EventType::AuthorizeRejected,
                detail,
            )
            .await
        })
        .await
}

/// Whom a hint names, if it is one of ours; a foreign one is ignored and recorded (AUTHZ-16).
pub(super) async fn read_hint(
    app: &App,
    hint: Option<&str>,
) -> Result<Option<(TenantId, Uuid)>, StoreError> {
    let Some(text) = hint else { return Ok(None) };
    if let Some(hint) = id_token_hint::read(app, text) {
        return Ok(Some((hint.tenant, hint.subject)));
    }
    let authority = Authority::<Identity>::claim(Uuid::nil());
    app.db
        .run(authority, async |tx| {
            let detail = json!({ "reason": "foreign_id_token_hint" });
            audit::append(
                tx,
                &app.env,
                &app.keys,
                EventType::AuthorizeRejected,
                detail,
            )
            .await
        })
        .await?;
    Ok(None)
}

/// A new request.
pub(super) async fn begin(
    app: &App,
    browser: &Browser,
    client: &Client,
    request: AuthorizeRequest,
    organization: Option<&str>,
) -> Result<Answer, StoreError> {
    let wanted = match (client.tenant, organization) {
        (TenantId::PLATFORM, None) => Wanted::Any,
        (TenantId::PLATFORM, Some(named)) => named
            .parse()
            .map_or_else(|_| Wanted::Slug(named.to_owned()), Wanted::Id),
        (own, _) => Wanted::Id(own),
    };
    let chooses = request.prompt.contains(&Prompt::SelectAccount);
    let asked = Asked {
        client,
        request: &request,
        wanted: &wanted,
        chooses,
        asked_at: None,
    };
    let outcome = settle(app, browser.session.as_ref(), &asked).await?;
    let anew = match outcome {
        Outcome::Code(code) => return Ok(Answer::Code(Box::new(request), code)),
        Outcome::Refuse(error) => return Ok(Answer::Refuse(Box::new(request), error)),
        Outcome::SignIn { anew } => Some(anew),
        Outcome::ChooseClinic => None,
    };
    let clinic = find_clinic(app, &wanted).await?;
    let pending = Pending {
        tenant: match &wanted {
            Wanted::Id(id) => Some(*id),
            Wanted::Slug(_) => clinic.as_ref().map(|c| c.tenant_id),
            Wanted::Any => None,
        },
        clinic: clinic.map(|c| (c.name, c.accent)),
        purpose: Purpose::Authorize(Box::new(request)),
        client_name: Some(client.name.clone()),
        login: None,
        has_chosen: false,
        anew: anew.unwrap_or_default(),
    };
    let id = interaction::fresh_id(app);
    app.db
        .run(interaction::authority(id), async |tx| {
            interaction::begin(tx, app, id, browser.digest(), &pending).await
        })
        .await?;
    Ok(if anew.is_some() {
        Answer::SignIn(id)
    } else {
        Answer::ChooseClinic(id)
    })
}

/// Coming back from the sign-in pages; `None`: no such interaction of this browser.
pub(super) async fn resume(
    app: &App,
    browser: &Browser,
    flow: InteractionId,
) -> Result<Option<Answer>, StoreError> {
    let found = app
        .db
        .run(interaction::authority(flow), async |tx| {
            interaction::find(tx, app, flow, browser.digest()).await
        })
        .await?;
    let Some(Interaction {
        id,
        mut pending,
        created_at,
    }) = found
    else {
        return Ok(None);
    };
    let Purpose::Authorize(request) = pending.purpose.clone() else {
        return Ok(None);
    };
    let client = match ClientId::parse(&request.client_id) {
        Some(id) => find_client(app, &id).await?,
        None => None,
    };
    let Some(client) = client else {
        return Ok(None);
    };
    let wanted = pending.tenant.map_or(Wanted::Any, Wanted::Id);
    let chooses = request.prompt.contains(&Prompt::SelectAccount) && !pending.has_chosen;
    let asked = Asked {
        client: &client,
        request: &request,
        wanted: &wanted,
        chooses,
        asked_at: Some(created_at),
    };
    let outcome = settle(app, browser.session.as_ref(), &asked).await?;
    let goes_on = |pending: Pending| Interaction {
        id,
        pending,
        created_at,
    };
    let answer = match outcome {
        Outcome::SignIn { anew } => {
            pending.anew = anew;
            keep(app, &goes_on(pending)).await?;
            Answer::SignIn(id)
        }
        Outcome::ChooseClinic => Answer::ChooseClinic(id),
        // Finished meanwhile by another tab of the browser: its code was given there.
        Outcome::Code(code) => {
            if !finished(app, id).await? {
                return Ok(None);
            }
            Answer::Code(request, code)
        }
        Outcome::Refuse(error) => {
            finished(app, id).await?;
            Answer::Refuse(request, error)
        }
    };
    Ok(Some(answer))
}

async fn keep(app: &App, interaction: &Interaction) -> Result<(), StoreError> {
    let authority = interaction::authority(interaction.id);
    app.db
        .run(authority, async |tx| {
            interaction::keep(tx, interaction).await
        })
        .await
}

async fn finished(app: &App, id: InteractionId) -> Result<bool, StoreError> {
    app.db
        .run(interaction::authority(id), async |tx| {
            interaction::finish(tx, app, id).await
        })
        .await
}

async fn find_clinic(app: &App, wanted: &Wanted) -> Result<Option<Clinic>, StoreError> {
    let Wanted::Slug(slug) = wanted else {
        return Ok(None);
    };
    let authority = Authority::<Identity>::claim(app.keys.locator("slug", slug));
    app.db
        .run(authority.read_only(), async |tx| {
            membership::find_clinic(tx, slug).await
        })
        .await
}

/// A request with what surrounds it.
struct Asked<'a> {
    client: &'a Client,
    request: &'a AuthorizeRequest,
    wanted: &'a Wanted,
    chooses: bool,
    asked_at: Option<OffsetDateTime>,
}

enum Outcome {
    Code(SecretString),
    Refuse(AuthorizeError),
    SignIn { anew: bool },
    ChooseClinic,
}

/// Looks, decides, and issues in one transaction of the session's claim.
async fn settle(
    app: &App,
    presented: Option<&PresentedSession>,
    asked: &Asked<'_>,
) -> Result<Outcome, StoreError> {
    let Some(presented) = presented else {
        let facts = Facts {
            session: None,
            asked_at: asked.asked_at,
        };
        return Ok(without_session(policy::decide(
            asked.request,
            &facts,
            app.env.now(),
        )));
    };
    app.db
        .run(
            Authority::<Identity>::claim(presented.id.as_uuid()),
            async |tx| settle_in(tx, app, presented, asked).await,
        )
        .await
}

async fn settle_in(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedSession,
    asked: &Asked<'_>,
) -> Result<Outcome, StoreError> {
    let now = app.env.now();
    let Some((session, proof)) = sessions::recognize(tx, app, presented).await? else {
        let facts = Facts {
            session: None,
            asked_at: asked.asked_at,
        };
        return Ok(without_session(policy::decide(asked.request, &facts, now)));
    };
    let facts = Facts {
        session: Some(look(tx, app, &session, proof, asked).await?),
        asked_at: asked.asked_at,
    };
    match policy::decide(asked.request, &facts, now) {
        Step::Issue {
            just_proved,
            tenant,
            subject,
        } => {
            tx.proceed(Authority::member(proof.0, tenant, subject))
                .await?;
            let code = issue(tx, app, &session, asked, just_proved).await?;
            Ok(Outcome::Code(code))
        }
        step => Ok(without_session(step)),
    }
}

/// What a decision without a code comes to.
fn without_session(step: Step) -> Outcome {
    match step {
        Step::SignIn { anew } => Outcome::SignIn { anew },
        Step::ChooseClinic => Outcome::ChooseClinic,
        Step::Refuse(error) => Outcome::Refuse(error),
        Step::Issue { .. } => Outcome::Refuse(AuthorizeError::LoginRequired),
    }
}

/// Which clinic, and whether the session is live there. Ends as the member if there is one.
async fn look(
    tx: &mut Tx<Identity>,
    app: &App,
    session: &Session,
    proof: sessions::Proof,
    asked: &Asked<'_>,
) -> Result<SessionFacts, StoreError> {
    let facts = |clinic, auth_time| SessionFacts {
        proved_at: session.proved_at,
        auth_time,
        clinic,
    };
    let hers = membership::list_active(tx, proof.account()).await?;
    let mut fitting = hers.iter().filter(|m| asked.wanted.is(m));
    let (first, second) = (fitting.next(), fitting.next());
    let Some(one) = first else {
        let nowhere = hers.is_empty();
        let clinic = if nowhere {
            ClinicChoice::Nowhere
        } else {
            ClinicChoice::Stranger
        };
        return Ok(facts(clinic, session.proved_at));
    };
    if second.is_some() || (asked.chooses && hers.len() > 1) {
        return Ok(facts(ClinicChoice::Unclear, session.proved_at));
    }
    let (tenant, subject) = (one.clinic.tenant_id, one.subject);
    tx.proceed(Authority::member(proof.0, tenant, subject))
        .await?;
    let client_app = asked.client.app.as_deref().unwrap_or_default();
    let limits = sessions::limits(tx, app, subject, client_app).await?;
    let seen = sessions::find_for_tenant(tx, session.id).await?;
    let opened_at = seen.as_ref().map_or(app.env.now(), |seen| seen.opened_at);
    // A tenant that sees the session for the first time will be told an earlier instant.
    let auth_time = seen.map_or(session.proved_at - Duration::MINUTE, |seen| seen.auth_time);
    let clocks = crate::sessions::policy::clocks(session, opened_at, limits);
    let clinic = if clocks.is_live(app.env.now()) {
        ClinicChoice::Member { tenant, subject }
    } else {
        ClinicChoice::Lapsed
    };
    Ok(facts(clinic, auth_time))
}

async fn issue(
    tx: &mut Tx<Identity>,
    app: &App,
    session: &Session,
    asked: &Asked<'_>,
    just_proved: bool,
) -> Result<SecretString, StoreError> {
    let subject = tx.subject().ok_or(StoreError::Corrupt {
        table: "seal.context",
        what: "a code for nobody",
    })?;
    sessions::open_for_tenant(tx, app, session, subject, just_proved).await?;
    let request = asked.request;
    let expires_at = app.env.now() + app.config.lifetimes.authorization_code;
    let code = IssuedCode {
        id: code_service::fresh_id(app),
        client: asked.client.id.clone(),
        session: session.id,
        subject,
        account: session.account,
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        scopes: request.scopes.clone(),
        audience: request.audience.clone(),
        expires_at: whole_microsecond(expires_at),
        family: None,
        spent_at: None,
    };
    let issued = code_service::issue(tx, app, &code).await?;
    let detail = json!({ "client_id": code.client, "scopes": code.scopes, "code": code.id });
    audit::append(tx, &app.env, &app.keys, EventType::AuthorizeGranted, detail).await?;
    Ok(issued)
}

/// As Postgres keeps it, so that a digest over it can be made again.
fn whole_microsecond(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.microsecond() * 1000)
        .expect("microseconds are within a second")
}
