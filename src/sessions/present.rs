//! The session behind a browser's cookie, under the platform's own clocks: for our own pages,
//! which belong to no clinic and no app.

use super::model::{Clocks, EndReason, Limits, PresentedSession, Session};
use super::service::{self, Proof};
use super::{policy, store};
use crate::app::App;
use crate::db::{Authority, Identity, StoreError, Tx};

/// A live session, and the proof that opens its account's transactions.
#[derive(Debug)]
pub struct Present {
    /// It.
    pub session: Session,
    /// That its cookie was right.
    pub proof: Proof,
    /// When it ends under the platform's limits.
    pub clocks: Clocks,
}

/// Who is behind a browser.
#[derive(Debug)]
pub enum Presence {
    /// Someone with a live session.
    Here(Box<Present>),
    /// Someone whose session has just been found at its end.
    Over(EndReason),
    /// Nobody we know.
    Nobody,
}

/// The platform's limits.
pub fn platform_limits(app: &App) -> Limits {
    let ceiling = app.config.session;
    Limits {
        idle: ceiling.idle,
        absolute: ceiling.absolute,
    }
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
    let clocks = policy::clocks(&session, session.authenticated_at, platform_limits(app));
    match clocks.end_reason(app.env.now()) {
        None => Ok(Presence::Here(Box::new(Present {
            session,
            proof,
            clocks,
        }))),
        Some(reason) => {
            service::end(tx, app, session.id, reason).await?;
            Ok(Presence::Over(reason))
        }
    }
}

/// Notes that the person did something on a page of ours just now; gives the clocks after it.
pub async fn touch(
    tx: &mut Tx<Identity>,
    app: &App,
    present: &Present,
) -> Result<Clocks, StoreError> {
    let (now, limits) = (app.env.now(), platform_limits(app));
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
