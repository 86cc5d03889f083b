//! The common case of a refresh, in two statements: one reads what the rules ask for, one writes
//! what they say, and those that arrive together share both (docs/decisions/0020).
//!
//! Invariants
//! 1. Only a rotation is done here. Whatever else the rules say, and whatever is not as it was
//!    read, is for the slower way, [`super::service::refresh`], which decides again under the lock.
//! 2. The same `policy::decide` is asked, of the same facts.
//! 3. What is written finds the rows that were judged in the versions that were judged, when the
//!    family is already held: an end that was committed by then is not outrun.
//! 4. Of those that are done together none can undo another.

mod store;

use std::sync::Arc;

use serde_json::json;
use time::OffsetDateTime;

use super::exchange::{Given, Presenter};
use super::facts::{self, LoadedStanding};
use super::model::{Generation, Redemption};
use super::policy::Decision;
use super::refresh_token::PresentedRefreshToken;
use super::successor::SealedSuccessor;
use crate::app::App;
use crate::audit::{self, EventType, Written};
use crate::db::{Authority, Gathered, Identity, SealedContext, StoreError};
use crate::identity::membership::Member;
use crate::ids::{ClientId, FamilyId, SessionId, TenantId};
use crate::secret::KeyedDigest;
use crate::sessions;

/// At most so many bundles of each kind at the same time.
const LANES: usize = 2;

/// One token that was shown.
#[derive(Debug)]
struct Asked {
    context: SealedContext,
    tenant: TenantId,
    family: FamilyId,
    generation: Generation,
}

/// One rotation as the rules allowed it.
#[derive(Debug)]
struct Claim {
    context: SealedContext,
    family: FamilyId,
    session: SessionId,
    mark: String,
    successor: Generation,
    redemption: Redemption,
    lockstep_earlier: u8,
    sealed: SealedSuccessor,
    sealed_until: OffsetDateTime,
    digest: KeyedDigest,
    event: Written,
}

/// The rotations of this process that wait for each other.
#[derive(Debug)]
pub struct Rotations {
    reading: Arc<Gathered<Asked, store::Read>>,
    writing: Arc<Gathered<Claim, bool>>,
}

impl Default for Rotations {
    fn default() -> Self {
        Self {
            reading: Gathered::new(LANES),
            writing: Gathered::new(LANES),
        }
    }
}

/// What a rotation is judged by, read and not yet judged.
#[derive(Debug)]
pub(crate) struct Facts(store::Read);

impl Facts {
    /// The family's client.
    pub(crate) const fn client(&self) -> &ClientId {
        &self.0.found.family.client
    }

    /// The version of its row.
    pub(crate) fn client_version(&self) -> &str {
        &self.0.client_version
    }

    /// The digests of its secrets that are good.
    pub(crate) fn client_secrets(&self) -> &[Vec<u8>] {
        &self.0.client_secrets
    }
}

/// Reads what a rotation of `presented` is judged by. `None`: the slower way must say.
pub(crate) async fn read(app: &App, presented: &PresentedRefreshToken) -> Option<Facts> {
    let authority = Authority::<Identity>::presented_in(presented.tenant());
    let asked = Asked {
        context: app.db.sealed(&authority),
        tenant: presented.tenant(),
        family: presented.family(),
        generation: presented.generation(),
    };
    let of = app.clone();
    let read = app.rotations.reading.done(asked, move |asked| {
        let app = of.clone();
        async move { read_all(&app, &asked).await }
    });
    read.await.map(Facts)
}

async fn read_all(app: &App, asked: &[Asked]) -> Vec<Option<store::Read>> {
    let read = async {
        let mut desk = app.db.desk().await?;
        let platform = sessions::service::platform_limits(app);
        let read = store::read(&mut desk, asked, platform, app.env.now()).await?;
        app.db.rest(desk);
        Ok(read)
    };
    read.await
        .unwrap_or_else(|error| not_done(&error, asked.len()))
}

/// Rotates, if that is what the rules say to `facts` and nothing has moved meanwhile. `None`:
/// nothing is known to be written, and the slower way must say.
pub(crate) async fn rotate(
    app: &App,
    presented: &PresentedRefreshToken,
    from: &Presenter<'_>,
    Facts(read): Facts,
) -> Option<(Box<Given>, Member)> {
    let (found, proved) = facts::prove(app, read.found, presented)?;
    let standing = LoadedStanding::of(
        read.session,
        read.membership_is_active,
        read.tenant_is_active,
    );
    let now = app.env.now();
    let decision = facts::decide(app, &found, &standing, presented, from, now);
    let word = decision.word();
    let Decision::Rotate(permit) = decision else {
        return None;
    };
    let (successor, sealed) = facts::succeed(app, presented, &permit, now);
    let authority = Authority::member(proved, found.family.tenant, found.grant.subject);
    let detail = facts::told(presented, json!({}));
    let after = permit.after();
    let claim = Claim {
        context: app.db.sealed(&authority),
        family: after.id,
        session: found.grant.session,
        mark: read.mark,
        successor: after.current,
        redemption: after.last_redemption?,
        lockstep_earlier: after.lockstep.earlier_in_a_row,
        sealed,
        sealed_until: permit.sealed_until(),
        digest: facts::kept(app, after, &successor),
        event: audit::write(&app.env, &app.keys, EventType::RefreshRotated, now, detail),
    };
    let of = app.clone();
    let written = app.rotations.writing.done(claim, move |claims| {
        let app = of.clone();
        async move { write_all(&app, &claims).await }
    });
    if written.await != Some(true) {
        return None;
    }
    app.metrics.refreshed(word);
    let token = facts::expose(permit.after(), successor);
    let given = facts::give(found, standing, from, Some(token), permit.access_ends_at());
    Some((given, read.member))
}

async fn write_all(app: &App, claims: &[Claim]) -> Vec<Option<bool>> {
    let written = async {
        let mut desk = app.db.desk().await?;
        let written = store::write(&mut desk, claims).await?;
        app.db.rest(desk);
        Ok(written)
    };
    match written.await {
        Ok(written) => written.into_iter().map(Some).collect(),
        Err(error) => not_done(&error, claims.len()),
    }
}

/// Each goes the slower way, which answers for itself; a rotation that was committed all the same
/// is given again there.
fn not_done<T>(error: &StoreError, count: usize) -> Vec<Option<T>> {
    tracing::warn!(detail = %crate::http::chain(error), count, "refreshes were not done together");
    std::iter::repeat_with(|| None).take(count).collect()
}
