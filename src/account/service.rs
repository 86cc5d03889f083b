//! What a person sees and does on her account page.

use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::identity::credential::store as credentials;
use crate::identity::factor::service::{self as factors, Inventory};
use crate::identity::membership::{Membership, store as memberships};
use crate::ids::{ClientId, InteractionId, SessionId};
use crate::impersonation::{State, answers as impersonation};
use crate::oidc::consent::{GivenConsent, service as consent};
use crate::oidc::interaction::{Pending, Purpose, service as interaction};
use crate::secret::KeyedDigest;
use crate::sessions::present::{self, Present};
use crate::sessions::{Clocks, EndReason, Session, service as sessions};

/// All that the account page shows.
#[derive(Debug)]
pub(super) struct Overview {
    /// Her login.
    pub(super) login: String,
    /// Her live sessions, this one first, then the newest.
    pub(super) sessions: Vec<Session>,
    /// Her active memberships.
    pub(super) memberships: Vec<Membership>,
    /// How many devices and recovery codes she has.
    pub(super) factors: Inventory,
    /// What she allowed other parties' apps, with the number of the membership.
    pub(super) consents: Vec<(usize, GivenConsent)>,
    /// How far the furthest of support's grants to act as her is, of those that are not over.
    pub(super) support: Option<State>,
    /// When this session ends, now that she looked at the page.
    pub(super) clocks: Clocks,
}

/// Looks; that is something a person does.
pub(super) async fn look(app: &App, present: &Present) -> Result<Overview, StoreError> {
    let account = present.proof.account();
    let (now, limits) = (app.env.now(), sessions::platform_limits(app));
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            let clocks = present::touch(tx, app, present).await?;
            let credential = credentials::find_own(tx, account).await?;
            let mut listed = sessions::list(tx, account).await?;
            listed.retain(|session| {
                let since = session.authenticated_at;
                crate::sessions::policy::clocks(session, since, limits).is_live(now)
            });
            listed.sort_by_key(|session| session.id != present.session.id);
            let hers = memberships::list_active(tx, account).await?;
            let (mut consents, mut support) = (Vec::new(), None);
            for (number, membership) in hers.iter().enumerate() {
                let (tenant, subject) = (membership.clinic.tenant_id, membership.subject);
                tx.proceed(Authority::member(present.proof.0, tenant, subject))
                    .await?;
                let given = consent::list(tx, subject).await?;
                let (grants, _) = impersonation::list_of_member(tx, (tenant, subject)).await?;
                support = grants
                    .iter()
                    .filter_map(impersonation::asks_or_acts)
                    .chain(support)
                    .max_by_key(|state| *state == State::Active);
                consents.extend(given.into_iter().map(|given| (number, given)));
            }
            tx.proceed(Authority::account(present.proof.0)).await?;
            Ok(Overview {
                login: credential
                    .map(|credential| credential.login)
                    .unwrap_or_default(),
                sessions: listed,
                memberships: hers,
                consents,
                support,
                factors: factors::inventory(tx, account).await?,
                clocks,
            })
        })
        .await
}

/// What ending one session came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The one behind this browser.
    This,
    /// Another of hers.
    Other,
    /// She has none such.
    None,
}

/// Ends one of her sessions.
pub(super) async fn end_one(
    app: &App,
    present: &Present,
    id: SessionId,
) -> Result<Ended, StoreError> {
    let is_this = id == present.session.id;
    let reason = if is_this {
        EndReason::SignedOut
    } else {
        EndReason::EndedElsewhere
    };
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            if !present::is_hers(tx, present, id).await? {
                return Ok(Ended::None);
            }
            present::touch(tx, app, present).await?;
            sessions::end(tx, app, id, reason).await?;
            Ok(if is_this { Ended::This } else { Ended::Other })
        })
        .await
}

/// Ends all her sessions, this one too.
pub(super) async fn end_all(app: &App, present: &Present) -> Result<(), StoreError> {
    let (account, this) = (present.proof.account(), present.session.id);
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            let others = EndReason::EndedElsewhere;
            sessions::end_others(tx, app, account, Some(this), others).await?;
            sessions::end(tx, app, this, EndReason::SignedOut).await?;
            Ok(())
        })
        .await
}

/// Takes back what she allowed an app at one of her clinics; false if there is no such thing.
pub(super) async fn remove_app(
    app: &App,
    present: &Present,
    slug: &str,
    client: &ClientId,
) -> Result<bool, StoreError> {
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            present::touch(tx, app, present).await?;
            let hers = memberships::list_active(tx, present.proof.account()).await?;
            let Some(at) = hers.into_iter().find(|m| m.clinic.slug == slug) else {
                return Ok(false);
            };
            let member = (at.clinic.tenant_id, at.subject);
            consent::withdraw(tx, app, present.proof, member, client).await
        })
        .await
}

/// What somebody has to do before one of the account's pages is shown.
#[derive(Debug)]
pub(super) struct Asked {
    /// Which page.
    pub(super) purpose: Purpose,
    /// Who has to sign in, if that is known.
    pub(super) login: Option<String>,
    /// Whether the browser's present session is over for that page.
    pub(super) anew: bool,
}

/// Begins an interaction that leads to one of the account's pages.
pub(super) async fn ask(
    app: &App,
    browser: &KeyedDigest,
    asked: Asked,
) -> Result<InteractionId, StoreError> {
    let Asked {
        purpose,
        login,
        anew,
    } = asked;
    let pending = Pending {
        purpose,
        client_name: None,
        tenant: None,
        clinic: None,
        login,
        has_chosen: false,
        anew,
    };
    let id = interaction::fresh_id(app);
    app.db
        .run(interaction::authority(id), async |tx| {
            interaction::begin(tx, app, id, browser, &pending).await
        })
        .await?;
    Ok(id)
}
