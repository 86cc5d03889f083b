//! Looking, deciding and issuing, in one transaction of the session's claim.

use secrecy::SecretString;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::AuthorizeError;
use super::policy::{self, ClinicChoice, Facts, SessionFacts, Step};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::factor;
use crate::identity::membership::{Membership, store as membership};
use crate::ids::{SubjectId, TenantId};
use crate::oidc::bearer::whole_microsecond;
use crate::oidc::client::Client;
use crate::oidc::code::{IssuedCode, service as code_service};
use crate::oidc::consent::service as consent;
use crate::oidc::interaction::AuthorizeRequest;
use crate::sessions::{Limits, PresentedSession, Session, TenantSession, service as sessions};

/// The clinic that a request is for, as far as it says.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Any that is clear.
    Any,
    /// This one.
    Id(TenantId),
    /// The one of this name.
    Slug(String),
}

impl Wanted {
    /// By whose client it is, and what it names (design §2).
    pub(super) fn of(client: &Client, organization: Option<&str>) -> Self {
        match (client.tenant, organization) {
            (TenantId::PLATFORM, None) => Self::Any,
            (TenantId::PLATFORM, Some(named)) => named
                .parse()
                .map_or_else(|_| Self::Slug(named.to_owned()), Self::Id),
            (own, _) => Self::Id(own),
        }
    }

    fn is(&self, membership: &Membership) -> bool {
        match self {
            Self::Any => true,
            Self::Id(id) => membership.clinic.tenant_id == *id,
            Self::Slug(slug) => membership.clinic.slug == *slug,
        }
    }
}

/// A request with what surrounds it.
pub(super) struct Asked<'a> {
    pub(super) client: &'a Client,
    pub(super) request: &'a AuthorizeRequest,
    pub(super) wanted: &'a Wanted,
    pub(super) chooses: bool,
    pub(super) began_at: Option<OffsetDateTime>,
}

pub(super) enum Outcome {
    Code(SecretString),
    Refuse(AuthorizeError),
    SignIn { anew: bool },
    ProveFactor,
    EnrollFactor,
    ChooseClinic,
    AskConsent(TenantId),
}

/// Looks, decides, and issues in one transaction of the session's claim.
pub(super) async fn settle(
    app: &App,
    presented: Option<&PresentedSession>,
    asked: &Asked<'_>,
) -> Result<Outcome, StoreError> {
    let Some(presented) = presented else {
        let facts = Facts {
            session: None,
            asked_at: asked.began_at,
        };
        return Ok(without_session(&policy::decide(
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
            asked_at: asked.began_at,
        };
        return Ok(without_session(&policy::decide(asked.request, &facts, now)));
    };
    let facts = Facts {
        session: Some(look(tx, app, &session, proof, asked).await?),
        asked_at: asked.began_at,
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
        step => Ok(without_session(&step)),
    }
}

/// What a decision without a code comes to.
fn without_session(step: &Step) -> Outcome {
    match *step {
        Step::SignIn { anew } => Outcome::SignIn { anew },
        Step::ProveFactor => Outcome::ProveFactor,
        // The page itself asks again whether she may say "not now".
        Step::EnrollFactor { .. } => Outcome::EnrollFactor,
        Step::ChooseClinic => Outcome::ChooseClinic,
        Step::AskConsent { tenant } => Outcome::AskConsent(tenant),
        Step::Refuse(error) => Outcome::Refuse(error),
        Step::Issue { .. } => Outcome::Refuse(AuthorizeError::LoginRequired),
    }
}

/// Which clinic, and whether the session is live there. Ends as the member if there is one.
pub(super) async fn look(
    tx: &mut Tx<Identity>,
    app: &App,
    session: &Session,
    proof: sessions::Proof,
    asked: &Asked<'_>,
) -> Result<SessionFacts, StoreError> {
    let factors = factor::service::standing(tx, proof.account()).await?;
    let facts = |clinic, auth_time| facts_of(session, factors, clinic, auth_time);
    let proved_at = session.authenticated_with_all_at();
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
        return Ok(facts(clinic, proved_at));
    };
    if second.is_some() || (asked.chooses && hers.len() > 1) {
        return Ok(facts(ClinicChoice::Unclear, proved_at));
    }
    let (tenant, subject, requires_factor) =
        (one.clinic.tenant_id, one.subject, one.requires_factor);
    tx.proceed(Authority::member(proof.0, tenant, subject))
        .await?;
    let client_app = asked.client.app.as_deref().unwrap_or_default();
    let limits = sessions::limits(tx, app, subject, client_app).await?;
    let seen = sessions::find_for_tenant(tx, session.id).await?;
    let member = ClinicChoice::Member {
        tenant,
        subject,
        requires_factor,
    };
    let (clinic, auth_time) = standing_at(session, seen.as_ref(), limits, member, app.env.now());
    let (client, request) = (asked.client, asked.request);
    let has_consented = consent::stands(tx, client, subject, request, asked.began_at).await?;
    Ok(SessionFacts {
        has_consented,
        ..facts(clinic, auth_time)
    })
}

/// What a session says, wherever it is to lead; what she consented to is not known yet.
pub(super) fn facts_of(
    session: &Session,
    factors: factor::service::Standing,
    clinic: ClinicChoice,
    auth_time: OffsetDateTime,
) -> SessionFacts {
    SessionFacts {
        password_at: session.proved_at,
        factor_at: session.factor_proved_at,
        has_device: factors.has_device,
        is_graced: session.is_graced,
        grace_is_left: factors.grace_is_left,
        auth_time,
        clinic,
        has_consented: false,
    }
}

/// Whether a session is live at the clinic of a member, which may have ended it for itself, and the
/// `auth_time` there.
pub(super) fn standing_at(
    session: &Session,
    seen: Option<&TenantSession>,
    limits: Limits,
    member: ClinicChoice,
    now: OffsetDateTime,
) -> (ClinicChoice, OffsetDateTime) {
    let opened_at = seen.map_or(now, |seen| seen.opened_at);
    // A tenant that sees the session for the first time will be told an earlier instant.
    let first = session.authenticated_with_all_at() - Duration::MINUTE;
    let auth_time = seen.map_or(first, |seen| seen.auth_time);
    let clocks = crate::sessions::policy::clocks(session, opened_at, limits);
    let goes_on = seen.is_none_or(|seen| seen.ended_at.is_none());
    let clinic = if goes_on && clocks.is_live(now) {
        member
    } else {
        ClinicChoice::Lapsed
    };
    (clinic, auth_time)
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
    let code = code_of(app, asked.client, asked.request, session, subject);
    let issued = code_service::issue(tx, app, &code).await?;
    consent::note_use(tx, app, asked.client, subject).await?;
    let event = EventType::AuthorizeGranted;
    audit::append(tx, &app.env, &app.keys, event, told(&code)).await?;
    Ok(issued)
}

/// What the event says.
pub(super) fn told(code: &IssuedCode) -> Value {
    json!({ "client_id": code.client, "scopes": code.scopes, "code": code.id })
}

/// The code that answers a request.
pub(super) fn code_of(
    app: &App,
    client: &Client,
    request: &AuthorizeRequest,
    session: &Session,
    subject: SubjectId,
) -> IssuedCode {
    let expires_at = app.env.now() + app.config.lifetimes.authorization_code;
    IssuedCode {
        id: code_service::fresh_id(app),
        client: client.id.clone(),
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
    }
}
