//! The session behind a browser's cookie, for our own pages, which belong to no clinic and no app.
//!
//! The pages of signing in lead anywhere: there the platform's clocks hold ([`find`]). A person's
//! own pages show and change what is hers in every clinic: there the strictest clocks of all hold
//! ([`find_own`]; design §4, record 0011).

use super::in_tenant::{limits, platform_limits};
use super::model::{Clocks, EndReason, Limits, PresentedSession, Session};
use super::service::{self, Proof};
use super::{policy, store};
use crate::app::App;
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::membership::store as memberships;

/// A live session, and the proof that opens its account's transactions.
#[derive(Debug)]
pub struct Present {
    /// It.
    pub session: Session,
    /// That its cookie was right.
    pub proof: Proof,
    /// The limits that hold on the page.
    pub limits: Limits,
    /// When it ends under them.
    pub clocks: Clocks,
}

/// Who is behind a browser.
#[derive(Debug)]
pub enum Presence {
    /// Someone with a live session.
    Here(Box<Present>),
    /// Someone whose session goes on, but not for her own pages: one of her clinics is stricter
    /// than the platform.
    Lapsed(EndReason),
    /// Someone whose session has just been found at its end.
    Over(EndReason),
    /// Nobody we know.
    Nobody,
}

/// Finds who is behind a browser, in a transaction of its own. A session found at its end is
/// ended.
pub async fn find(app: &App, presented: Option<&PresentedSession>) -> Result<Presence, StoreError> {
    let Some(presented) = presented else {
        return Ok(Presence::Nobody);
    };
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    app.db
        .run(authority, async |tx| find_in(tx, app, presented).await)
        .await
}

/// The same in a transaction that claims the session; it goes on as the session's account.
pub(crate) async fn find_in(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedSession,
) -> Result<Presence, StoreError> {
    let Some((session, proof)) = service::recognize(tx, app, presented).await? else {
        return Ok(Presence::Nobody);
    };
    let limits = platform_limits(app);
    let clocks = policy::clocks(&session, session.authenticated_at, limits);
    match clocks.end_reason(app.env.now()) {
        None => Ok(Presence::Here(Box::new(Present {
            session,
            proof,
            limits,
            clocks,
        }))),
        Some(reason) => {
            service::end(tx, app, session.id, reason).await?;
            Ok(Presence::Over(reason))
        }
    }
}

/// Finds who is behind a browser for her own pages, in a transaction of its own. A session that
/// lapsed there is not ended: her laxer clinics would learn of the strict one.
pub async fn find_own(
    app: &App,
    presented: Option<&PresentedSession>,
) -> Result<Presence, StoreError> {
    let Some(presented) = presented else {
        return Ok(Presence::Nobody);
    };
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    app.db
        .run(authority, async |tx| find_own_in(tx, app, presented).await)
        .await
}

/// The same in a transaction that claims the session; it goes on as the session's account.
pub(crate) async fn find_own_in(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedSession,
) -> Result<Presence, StoreError> {
    let present = match find_in(tx, app, presented).await? {
        Presence::Here(present) => present,
        elsewhere => return Ok(elsewhere),
    };
    let limits = own_limits(tx, app, present.proof).await?;
    let session = &present.session;
    let clocks = policy::clocks(session, session.authenticated_at, limits);
    Ok(match clocks.end_reason(app.env.now()) {
        Some(reason) => Presence::Lapsed(reason),
        None => Presence::Here(Box::new(Present {
            limits,
            clocks,
            ..*present
        })),
    })
}

/// The strictest limits of the platform and of all clinics where she is an active member. Ends as
/// the account.
async fn own_limits(tx: &mut Tx<Identity>, app: &App, proof: Proof) -> Result<Limits, StoreError> {
    let mut strictest = platform_limits(app);
    for membership in memberships::list_active(tx, proof.account()).await? {
        let (tenant, subject) = (membership.clinic.tenant_id, membership.subject);
        tx.proceed(Authority::member(proof.0, tenant, subject))
            .await?;
        let there = limits(tx, app, subject, NO_APP).await?;
        strictest = policy::strictest(strictest, [there]);
    }
    tx.proceed(Authority::account(proof.0)).await?;
    Ok(strictest)
}

/// No policy is for an app of this name.
const NO_APP: &str = "";

/// Notes that the person did something on a page of ours just now; gives the clocks after it.
pub async fn touch(
    tx: &mut Tx<Identity>,
    app: &App,
    present: &Present,
) -> Result<Clocks, StoreError> {
    let (now, limits) = (app.env.now(), present.limits);
    let session = &present.session;
    let since = session.authenticated_at;
    if !policy::moves_idle(session, since, limits, now, now) {
        return Ok(present.clocks);
    }
    let silences = policy::silences_after(session, now);
    // Moved meanwhile by another request: at least as far.
    store::mark_active(tx, session, &silences, now).await?;
    let moved = Session {
        active_at: now,
        silences,
        ..session.clone()
    };
    Ok(policy::clocks(&moved, since, limits))
}

/// Whether a session is of the same account, in a transaction of it; ended ones count too.
pub async fn is_hers(
    tx: &mut Tx<Identity>,
    present: &Present,
    id: crate::ids::SessionId,
) -> Result<bool, StoreError> {
    let found = store::find(tx, id).await?;
    Ok(found.is_some_and(|stored| stored.session.account == present.proof.account()))
}
