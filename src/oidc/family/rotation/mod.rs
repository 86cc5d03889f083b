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

use std::collections::HashSet;
use std::num::NonZero;
use std::sync::Arc;

use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::oneshot;

use super::exchange::{Given, Presenter};
use super::facts::{self, LoadedStanding};
use super::model::{Generation, Redemption};
use super::policy::Decision;
use super::refresh_token::PresentedRefreshToken;
use super::successor::SealedSuccessor;
use crate::app::App;
use crate::audit::{self, EventType, Written};
use crate::db::{Gathered, Proved, StoreError, Waiting};
use crate::identity::membership::Member;
use crate::ids::{ClientId, FamilyId, SessionId, SubjectId, TenantId};
use crate::secret::KeyedDigest;
use crate::sessions;

/// However many cores there are: more at a time would only be smaller.
const MOST_TURNS: usize = 4;

/// One token that was shown.
#[derive(Debug)]
struct Asked {
    tenant: TenantId,
    family: FamilyId,
    generation: Generation,
    client_tenant: TenantId,
    client: ClientId,
}

/// One rotation as the rules allowed it.
#[derive(Debug)]
struct Claim {
    /// Whose it is.
    proved: Proved,
    tenant: TenantId,
    subject: SubjectId,
    family: FamilyId,
    session: SessionId,
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
pub struct Rotations(Arc<Gathered<Asked, Facts>>);

impl Default for Rotations {
    /// As many turns at a time as half the cores: PostgreSQL has work for the other half.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Gathered::new((cores / 2).clamp(1, MOST_TURNS)))
    }
}

/// What a rotation is judged by, read and not yet judged. Those that were read with it are written
/// when this is claimed or dropped: nothing is awaited in between.
#[derive(Debug)]
pub(crate) struct Facts {
    read: store::Read,
    claim: oneshot::Sender<Waiting<Claim, bool>>,
}

impl Facts {
    /// The family's client.
    pub(crate) const fn client(&self) -> &ClientId {
        &self.read.found.family.client
    }

    /// The version of its row.
    pub(crate) fn client_version(&self) -> &str {
        &self.read.client_version
    }

    /// The digests of its secrets that are good.
    pub(crate) fn client_secrets(&self) -> &[Vec<u8>] {
        &self.read.client_secrets
    }
}

/// Reads what a rotation of `presented` by the client of that tenant and name is judged by. `None`:
/// the slower way must say.
pub(crate) async fn read(
    app: &App,
    presented: &PresentedRefreshToken,
    (client_tenant, client): (TenantId, &ClientId),
) -> Option<Facts> {
    let asked = Asked {
        tenant: presented.tenant(),
        family: presented.family(),
        generation: presented.generation(),
        client_tenant,
        client: client.clone(),
    };
    let of = app.clone();
    let turn = move |waiting| {
        let app = of.clone();
        async move {
            if let Err(error) = take_turn(&app, waiting).await {
                // Each goes the slower way, which answers for itself; a rotation that was
                // committed all the same is given again there.
                tracing::warn!(detail = %crate::http::chain(&error), "refreshes were not done together");
            }
        }
    };
    app.rotations.0.done(asked, turn).await
}

/// Reads for all that wait, lets each judge, writes what they claim.
async fn take_turn(app: &App, waiting: Vec<Waiting<Asked, Facts>>) -> Result<(), StoreError> {
    let (asked, tell) = each_family_once(waiting);
    let mut desk = app.db.desk().await?;
    desk.begin().await?;
    let bundle = app.db.seal_presented(asked.iter().map(|a| a.tenant));
    let platform = sessions::service::platform_limits(app);
    let read = store::read(&mut desk, &bundle, &asked, platform, app.env.now()).await?;
    let mut judging = Vec::new();
    for (tell, read) in tell.into_iter().zip(read) {
        let (claim, claimed) = oneshot::channel();
        // Who asked may have gone away.
        if let Some(read) = read
            && tell.send(Facts { read, claim }).is_ok()
        {
            judging.push(claimed);
        }
    }
    let (mut claims, mut tell) = (Vec::new(), Vec::new());
    for claimed in judging {
        if let Ok((claim, asked)) = claimed.await {
            claims.push(claim);
            tell.push(asked);
        }
    }
    if !claims.is_empty() {
        let bundle = app
            .db
            .seal_members(claims.iter().map(|c| (c.proved, c.tenant, c.subject)));
        let written = store::write(&mut desk, &bundle, &claims).await?;
        desk.commit().await?;
        for (tell, is_written) in tell.into_iter().zip(written) {
            let _ = tell.send(is_written);
        }
    } else {
        desk.commit().await?;
    }
    app.db.rest(desk);
    Ok(())
}

/// Of one token shown many times the first is done here, and the slower way gives the others what
/// it got.
fn each_family_once(
    waiting: Vec<Waiting<Asked, Facts>>,
) -> (Vec<Asked>, Vec<oneshot::Sender<Facts>>) {
    let mut families = HashSet::new();
    let first = |(asked, _): &Waiting<Asked, Facts>| families.insert(asked.family);
    waiting.into_iter().filter(first).unzip()
}

/// Rotates, if that is what the rules say to `facts` and nothing has moved meanwhile. `None`:
/// nothing is known to be written, and the slower way must say.
pub(crate) async fn rotate(
    app: &App,
    presented: &PresentedRefreshToken,
    from: &Presenter<'_>,
    Facts { read, claim }: Facts,
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
    let detail = facts::told(presented, json!({}));
    let after = permit.after();
    let (tell, told) = oneshot::channel();
    let claimed = Claim {
        proved,
        tenant: after.tenant,
        subject: found.grant.subject,
        family: after.id,
        session: found.grant.session,
        successor: after.current,
        redemption: after.last_redemption?,
        lockstep_earlier: after.lockstep.earlier_in_a_row,
        sealed,
        sealed_until: permit.sealed_until(),
        digest: facts::kept(app, after, &successor),
        event: audit::write(&app.env, &app.keys, EventType::RefreshRotated, now, detail),
    };
    claim.send((claimed, tell)).ok()?;
    if told.await != Ok(true) {
        return None;
    }
    app.metrics.refreshed(word);
    let token = facts::expose(permit.after(), successor);
    let given = facts::give(found, standing, from, Some(token), permit.access_ends_at());
    Some((given, read.member))
}
