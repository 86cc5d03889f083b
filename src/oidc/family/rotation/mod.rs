//! The common case of a refresh, in two statements of one transaction: one holds the family and
//! reads what the rules ask for, one writes what they say. Those that arrive together share both
//! (docs/decisions/0020).
//!
//! Invariants
//! 1. Only a rotation is done here. Whatever else the rules say, and whatever is not as it was
//!    read, is for the slower way, [`super::service::refresh`], which decides again under the lock.
//! 2. The same `policy::decide` is asked, of the same facts.
//! 3. What is judged is read when the family is already held, and written before it is let go: an
//!    end that was committed by then is not outrun.
//! 4. Of those that are done together none can undo another.

mod store;

use std::sync::Arc;

use serde_json::json;
use time::OffsetDateTime;

use super::exchange::{Asked, Given};
use super::facts::{self, LoadedStanding};
use super::model::{Generation, Redemption};
use super::policy::Decision;
use super::successor::SealedSuccessor;
use crate::app::App;
use crate::audit::{self, EventType, Trace, Written};
use crate::db::{Gathered, Pieces, Proved, StoreError, firsts};
use crate::fault::{self, Point};
use crate::http::peer::Peer;
use crate::identity::membership::Member;
use crate::ids::{FamilyId, SessionId, SubjectId, TenantId};
use crate::oidc::client::Client;
use crate::oidc::client::authentication::PresentedClient;
use crate::secret::KeyedDigest;
use crate::sessions;

/// One token that was shown, by whom and from where.
#[derive(Debug)]
pub(crate) struct Refresh {
    /// What its request asks for.
    pub(crate) asked: Asked,
    /// The client as the request shows it: not yet believed.
    pub(crate) by: PresentedClient,
    /// Where to look for a client of that name.
    pub(crate) client_tenant: TenantId,
    /// Where it comes from.
    pub(crate) peer: Peer,
    /// Which request shows it.
    pub(crate) trace: Option<Trace>,
}

/// What comes of it when it is committed.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// The client, authenticated.
    pub(crate) client: Arc<Client>,
    /// What is to be given out.
    pub(crate) given: Box<Given>,
    /// To whom.
    pub(crate) member: Member,
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
pub(crate) type Rotations = Arc<Gathered<Refresh, Rotated>>;

/// Rotates, if that is what the rules say, and has `prepare` make the answer ready before it is
/// known to count. `None`: nothing is known to be written, and the slower way must say.
pub(crate) async fn rotate<T>(
    app: &App,
    refresh: Refresh,
    prepare: impl FnOnce(Rotated) -> T,
) -> Option<T> {
    let of = app.clone();
    let turn = move |refreshes| take_turn(of.clone(), refreshes);
    app.rotations.done(refresh, turn, prepare).await
}

/// Holds and reads what it can of `refreshes`, judges each, writes what the rules allow. What is
/// left to do is the commit.
async fn take_turn(
    app: App,
    refreshes: Pieces<Refresh, Rotated>,
) -> Result<impl Future<Output = Result<(), StoreError>> + Send, StoreError> {
    // Of one token shown many times the first is done here, and the slower way gives the others
    // what it got.
    let (refreshes, mut others) = firsts(refreshes, |r| r.asked.presented.family());
    let mut desk = app.db.desk().await?;
    desk.begin().await?;
    let shown = refreshes.iter().map(|(r, _)| r.asked.presented.tenant());
    let bundle = app.db.seal_presented(shown);
    let asked: Vec<&Refresh> = refreshes.iter().map(|(refresh, _)| refresh).collect();
    let platform = sessions::service::platform_limits(&app);
    let read = store::read(&mut desk, &bundle, &asked, platform, app.env.now()).await?;
    let (mut claims, mut foretold) = (Vec::new(), Vec::new());
    for ((refresh, tell), read) in refreshes.into_iter().zip(read) {
        match read.and_then(|read| judge(&app, &refresh, read)) {
            Some((claim, rotated, word)) => {
                claims.push(claim);
                foretold.push((tell.foretell(rotated), word));
            }
            None => others.push(tell),
        }
    }
    let written = if claims.is_empty() {
        Vec::new()
    } else {
        let members = claims.iter().map(|c| (c.proved, c.tenant, c.subject));
        let bundle = app.db.seal_members(members);
        store::write(&mut desk, &bundle, &claims).await?
    };
    let event = EventType::RefreshRotated.name();
    if written.contains(&true) {
        fault::pass(Point::Recorded, event);
    }
    Ok(async move {
        desk.commit(app.rotations.is_waited_for()).await?;
        if written.contains(&true) {
            fault::pass(Point::Committed, event);
        }
        app.db.rest(desk);
        for ((foretold, word), is_written) in foretold.into_iter().zip(written) {
            if is_written {
                app.metrics.refreshed(word);
                foretold.settle();
            }
        }
        // Told only now, when what they ask for is held no longer.
        drop(others);
        Ok(())
    })
}

/// Whether the client proves itself, the token is its, and the rules say that it rotates; then with
/// what it comes to, and the word for it.
fn judge(
    app: &App,
    refresh: &Refresh,
    read: store::Read,
) -> Option<(Claim, Rotated, &'static str)> {
    let Refresh {
        asked, by, peer, ..
    } = refresh;
    let client = app.clients.of_version(&by.id, &read.client_version)?;
    if read.found.family.client != client.id || !by.is(&client, &app.keys, &read.client_secrets) {
        return None;
    }
    let (found, proved) = facts::prove(app, read.found, &asked.presented)?;
    let standing = LoadedStanding::of(read.session, read.standing);
    let now = app.env.now();
    let from = asked.by(&client, peer);
    let decision = facts::decide(app, &found, &standing, &asked.presented, &from, now);
    let word = decision.word();
    let Decision::Rotate(permit) = decision else {
        return None;
    };
    let (successor, sealed) = facts::succeed(app, &asked.presented, &permit, now);
    let detail = facts::told(&asked.presented, json!({}));
    let after = permit.after();
    let of = (refresh.trace, now);
    let claim = Claim {
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
        event: audit::write(&app.env, &app.keys, EventType::RefreshRotated, of, detail),
    };
    let token = facts::expose(after, successor);
    let (scopes, ends_at) = (asked.scopes.as_deref(), permit.access_ends_at());
    let rotated = Rotated {
        client,
        given: facts::give(found, standing, scopes, Some(token), ends_at),
        member: read.member,
    };
    Some((claim, rotated, word))
}
