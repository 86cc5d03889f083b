//! What support does about a grant of its own in a browser: into which apps it may go, going there,
//! ending it.

use crate::app::App;
use crate::apps::{Kind, policy as apps};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::membership::{Clinic, store as memberships};
use crate::ids::{ClientId, TenantId};
use crate::impersonation::exchange::{self, Ground, Looked};
use crate::impersonation::service::{Agent, Answer};
use crate::impersonation::{Grant, ImpersonationId, answers};
use crate::oidc::client::{Client, ClientStatus, policy as clients, service as client_service};
use crate::oidc::handover::service::{self as handover, Made};
use crate::sessions::present::{self, Present};
use crate::sessions::service as sessions;

/// A grant as its actor's browser sees it.
pub(super) enum Seen {
    /// It stands.
    Stands(Box<Enterable>),
    /// It does not, or not for this session.
    Over,
    /// None of his.
    Unknown,
}

/// A grant that stands, and where it leads.
pub(super) struct Enterable {
    /// What was just looked at.
    pub(super) ground: Ground,
    /// The subject's clinic.
    pub(super) clinic: Clinic,
    /// Into which apps, each with the address that begins a sign-in.
    pub(super) apps: Vec<(Client, url::Url)>,
}

/// Looks at a grant and its apps; that is something a person does.
pub(super) async fn look(
    app: &App,
    present: &Present,
    id: ImpersonationId,
) -> Result<Seen, StoreError> {
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            present::touch(tx, app, present).await?;
            let Some(agent) = find_agent(tx, present).await? else {
                return Ok(Seen::Unknown);
            };
            look_in(tx, app, &agent, id).await
        })
        .await
}

/// Makes the transfer into one of the apps; `None`: it is none of them, or the grant is over.
pub(super) async fn enter(
    app: &App,
    present: &Present,
    (id, client): (ImpersonationId, &ClientId),
) -> Result<Option<(Made, url::Url)>, StoreError> {
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            present::touch(tx, app, present).await?;
            let Some(agent) = find_agent(tx, present).await? else {
                return Ok(None);
            };
            let Seen::Stands(seen) = look_in(tx, app, &agent, id).await? else {
                return Ok(None);
            };
            let Enterable { ground, apps, .. } = *seen;
            let chosen = apps.into_iter().find(|(known, _)| known.id == *client);
            let Some((chosen, address)) = chosen else {
                return Ok(None);
            };
            let made = handover::make(tx, app, &agent, &ground.grant, &chosen.id).await?;
            Ok(Some((made, address)))
        })
        .await
}

/// Ends one of his own.
pub(super) async fn end(
    app: &App,
    present: &Present,
    id: ImpersonationId,
) -> Result<Answer<Grant>, StoreError> {
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            present::touch(tx, app, present).await?;
            let Some(agent) = find_agent(tx, present).await? else {
                return Ok(Answer::Unknown);
            };
            tx.proceed(Authority::agent(agent.subject)).await?;
            answers::end_by_actor(tx, app, agent.subject, id).await
        })
        .await
}

/// Who the person is for the platform, in the session of this browser; `None`: nobody, or he used
/// nothing of the platform's in it, so that nothing started there.
async fn find_agent(tx: &mut Tx<Identity>, present: &Present) -> Result<Option<Agent>, StoreError> {
    let memberships = memberships::list_active(tx, present.proof.account()).await?;
    let is_platforms = |tenant: TenantId| tenant == TenantId::PLATFORM;
    let own = memberships
        .into_iter()
        .find(|at| is_platforms(at.clinic.tenant_id));
    let Some(own) = own else { return Ok(None) };
    tx.proceed(Authority::member(
        present.proof.0,
        TenantId::PLATFORM,
        own.subject,
    ))
    .await?;
    let seen = sessions::find_for_tenant(tx, present.session.id).await?;
    Ok(seen.map(|seen| Agent {
        subject: own.subject,
        sid: seen.sid,
        client: ClientId::parse(OWN_NAME).expect("a client's name"),
        is_acting: false,
    }))
}

/// No client has that name: the page is the issuer's own.
const OWN_NAME: &str = "lanyard-account";

async fn look_in(
    tx: &mut Tx<Identity>,
    app: &App,
    agent: &Agent,
    id: ImpersonationId,
) -> Result<Seen, StoreError> {
    tx.proceed(Authority::agent(agent.subject)).await?;
    let ground = match exchange::look(tx, app, agent, id).await? {
        Looked::Stands(ground) => *ground,
        Looked::Denied(_) => return Ok(Seen::Over),
        Looked::Unknown => return Ok(Seen::Unknown),
    };
    let tenant = ground.grant.tenant;
    let Some(clinic) = memberships::find_clinic_by_id(tx, tenant).await? else {
        return Ok(Seen::Over);
    };
    let mut apps = client_service::list(tx, tenant).await?;
    apps.extend(client_service::list(tx, TenantId::PLATFORM).await?);
    let apps = apps.into_iter().filter(|client| fits(client, &ground));
    let apps = apps.filter_map(|client| {
        let address = clients::initiate_login_address(&client, &clinic.slug)?;
        Some((client, address))
    });
    Ok(Seen::Stands(Box::new(Enterable {
        apps: apps.collect(),
        clinic,
        ground,
    })))
}

/// Whether a client is one of our side's, in use, for people of her roles, and may ask for anything
/// that is lent.
fn fits(client: &Client, ground: &Ground) -> bool {
    let is_for_her = match &client.app {
        None => true,
        Some(word) => Kind::ALL
            .into_iter()
            .any(|kind| kind.word() == word && apps::is_for(kind, &ground.roles)),
    };
    client.status == ClientStatus::Active
        && !client.is_third_party()
        && is_for_her
        && client
            .scopes
            .iter()
            .any(|scope| ground.lent.contains(scope))
}
