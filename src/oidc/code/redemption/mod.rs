//! The common case of redeeming a code, in two statements of one transaction, shared by those that
//! come together, as a rotation is ([`crate::oidc::family::rotation`]; docs/decisions/0020).
//!
//! Invariants
//! 1. Only a redemption is done here. Whatever else the rules say is for the slower way, which
//!    judges again under the lock: nothing is spent or refused here.
//! 2. A code is spent by one conditional `UPDATE`, in the statement that begins its family.

mod store;

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::model::{IssuedCode, PresentedCode};
use super::service;
use crate::app::App;
use crate::audit::{self, EventType, Trace, Written};
use crate::db::{Gathered, Pieces, Proved, StoreError, firsts};
use crate::identity::membership::Member;
use crate::ids::{CodeId, FamilyId, SessionId, SubjectId, TenantId};
use crate::oidc::client::Client;
use crate::oidc::client::authentication::PresentedClient;
use crate::oidc::family::NewFamily;
use crate::oidc::family::service::Beginning;
use crate::secret::KeyedDigest;
use crate::sessions;
use crate::sessions::service::Standing;

/// A redemption as its request asks for it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The code.
    pub(crate) presented: PresentedCode,
    /// Where the client says that it was sent.
    pub(crate) redirect_uri: Option<String>,
    /// RFC 7636 §4.5.
    pub(crate) verifier: Option<SecretString>,
}

/// One code that was shown, and by whom.
#[derive(Debug)]
pub(crate) struct Redemption {
    /// What its request asks for.
    pub(crate) asked: Asked,
    /// The client as the request shows it: not yet believed.
    pub(crate) by: PresentedClient,
    /// Where to look for a client of that name.
    pub(crate) client_tenant: TenantId,
    /// Which request shows it.
    pub(crate) trace: Option<Trace>,
}

/// What a code buys when that is committed.
#[derive(Debug)]
pub(crate) struct Redeemed {
    /// It.
    pub(crate) code: IssuedCode,
    /// For whom.
    pub(crate) member: Member,
    /// In which session.
    pub(crate) standing: Standing,
    /// The first of its family.
    pub(crate) refresh_token: SecretString,
}

/// One redemption as the rules allowed it.
#[derive(Debug)]
struct Claim {
    proved: Proved,
    tenant: TenantId,
    subject: SubjectId,
    session: SessionId,
    code: CodeId,
    family: FamilyId,
    absolute_end_at: OffsetDateTime,
    digest: KeyedDigest,
    event: Written,
}

/// What a code buys, with the client, authenticated.
pub(crate) type Bought = (Arc<Client>, Redeemed);

/// The redemptions of this process that wait for each other.
pub(crate) type Redemptions = Arc<Gathered<Redemption, Bought>>;

/// Redeems, if that is what the rules say, and has `prepare` make the answer ready before it is
/// known to count. `None`: nothing is known to be written, and the slower way must say.
pub(crate) async fn redeem<T>(
    app: &App,
    redemption: Redemption,
    prepare: impl FnOnce(Bought) -> T,
) -> Option<T> {
    let of = app.clone();
    let turn = move |redemptions| take_turn(of.clone(), redemptions);
    app.redemptions.done(redemption, turn, prepare).await
}

/// Holds and reads what it can of `redemptions`, judges each, writes what the rules allow. What is
/// left to do is the commit.
async fn take_turn(
    app: App,
    redemptions: Pieces<Redemption, Bought>,
) -> Result<impl Future<Output = Result<(), StoreError>> + Send, StoreError> {
    // Of one code shown many times the first is done here; the slower way ends what it gave, for
    // the others.
    let (redemptions, mut others) = firsts(redemptions, |r| r.asked.presented.id);
    let mut desk = app.db.desk().await?;
    desk.begin().await?;
    let shown = redemptions.iter().map(|(r, _)| r.asked.presented.tenant);
    let bundle = app.db.seal_presented(shown);
    let asked: Vec<&Redemption> = redemptions.iter().map(|(r, _)| r).collect();
    let platform = sessions::service::platform_limits(&app);
    let read = store::read(&mut desk, &bundle, &asked, platform, app.env.now()).await?;
    let (mut claims, mut foretold) = (Vec::new(), Vec::new());
    for ((redemption, tell), read) in redemptions.into_iter().zip(read) {
        match read.and_then(|read| judge(&app, &redemption, read)) {
            Some((claim, bought)) => {
                claims.push(claim);
                foretold.push(tell.foretell(bought));
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
    Ok(async move {
        desk.commit(app.redemptions.is_waited_for()).await?;
        app.db.rest(desk);
        for (foretold, is_written) in foretold.into_iter().zip(written) {
            if is_written {
                foretold.settle();
            }
        }
        // Told only now, when what they ask for is held no longer.
        drop(others);
        Ok(())
    })
}

/// Whether the client proves itself, the code is its and good, and the person is still there; then
/// with what it buys.
fn judge(app: &App, redemption: &Redemption, read: store::Read) -> Option<(Claim, Bought)> {
    let Redemption { asked, by, .. } = redemption;
    let (code, now) = (read.code, app.env.now());
    let client = app.clients.of_version(&by.id, &read.client_version)?;
    // What she said yes to is looked up, and held, in the slower way.
    let is_asked_for = client.is_third_party();
    if is_asked_for || !by.is(&client, &app.keys, &read.client_secrets) {
        return None;
    }
    let proved = service::prove(app, &asked.presented, &code, &read.code_digest)?;
    let is_good = code.client == client.id
        && code.fault(asked.redirect_uri.as_deref(), now).is_none()
        && code.is_proved(asked.verifier.as_ref());
    if !is_good || !read.member.is_active {
        return None;
    }
    let standing = read.session.stands();
    let standing = standing.filter(|standing| standing.clocks().is_live(now))?;
    let tenant = asked.presented.tenant;
    let beginning = Beginning::draw(
        app,
        tenant,
        &new_family(app, &client, &code, &standing, now),
    );
    let detail = told(&client, &code, beginning.id());
    let of = (redemption.trace, now);
    let claim = Claim {
        proved,
        tenant,
        subject: code.subject,
        session: code.session,
        code: code.id,
        family: beginning.id(),
        absolute_end_at: beginning.absolute_end_at(),
        digest: beginning.kept(app),
        event: audit::write(&app.env, &app.keys, EventType::CodeRedeemed, of, detail),
    };
    let redeemed = Redeemed {
        code,
        member: read.member,
        standing,
        refresh_token: beginning.expose(),
    };
    Some((claim, (client, redeemed)))
}

/// What the event says.
pub(crate) fn told(client: &Client, code: &IssuedCode, family: FamilyId) -> Value {
    json!({ "client_id": client.id, "code": code.id, "family": family })
}

/// The family that a code buys.
pub(crate) fn new_family<'a>(
    app: &App,
    client: &'a Client,
    code: &'a IssuedCode,
    standing: &Standing,
    now: OffsetDateTime,
) -> NewFamily<'a> {
    let lifetimes = &app.config.lifetimes;
    let longest = if client.kind.is_public() {
        lifetimes.refresh_public
    } else {
        lifetimes.refresh_confidential
    };
    NewFamily {
        client: &client.id,
        key_binding: None,
        account: code.account,
        subject: code.subject,
        session: code.session,
        scopes: &code.scopes,
        audience: &code.audience,
        absolute_end_at: (now + longest).min(standing.clocks().session_ends_at),
    }
}
