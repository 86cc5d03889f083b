//! The common case of redeeming a code, in two statements of one transaction, shared by those that
//! come together, as a rotation is ([`crate::oidc::family::rotation`]; docs/decisions/0020).
//!
//! Invariants
//! 1. Only a redemption is done here. Whatever else the rules say is for the slower way, which
//!    judges again under the lock: nothing is spent or refused here.
//! 2. A code is spent by one conditional `UPDATE`, in the statement that begins its family.

mod store;

use std::collections::HashSet;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::model::{IssuedCode, PresentedCode};
use super::service;
use crate::app::App;
use crate::audit::{self, EventType, Written};
use crate::db::{Gathered, Proved, StoreError};
use crate::identity::membership::Member;
use crate::ids::{FamilyId, TenantId};
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
}

/// What a code bought: committed.
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
    code: IssuedCode,
    beginning: Beginning,
    digest: KeyedDigest,
    event: Written,
}

/// What a code bought, with the client, authenticated.
type Bought = (Arc<Client>, Redeemed);

/// The redemptions of this process that wait for each other.
pub(crate) type Redemptions = Arc<Gathered<Redemption, Bought>>;

/// Redeems, if that is what the rules say. `None`: nothing is known to be written, and the slower
/// way must say.
pub(crate) async fn redeem(app: &App, redemption: Redemption) -> Option<Bought> {
    let of = app.clone();
    let turn = move |redemptions| take_turn(of.clone(), redemptions);
    app.redemptions.done(redemption, turn).await
}

/// Holds and reads what it can of `redemptions`, judges each, writes what the rules allow. What is
/// left to do is the commit.
async fn take_turn(
    app: App,
    redemptions: Vec<Redemption>,
) -> Result<impl Future<Output = Result<Vec<Option<Bought>>, StoreError>> + Send, StoreError> {
    let mut redeemed: Vec<_> = redemptions.iter().map(|_| None).collect();
    let redemptions = each_code_once(redemptions);
    let mut desk = app.db.desk().await?;
    desk.begin().await?;
    let shown = redemptions.iter().map(|(_, r)| r.asked.presented.tenant);
    let bundle = app.db.seal_presented(shown);
    let asked: Vec<&Redemption> = redemptions.iter().map(|(_, r)| r).collect();
    let platform = sessions::service::platform_limits(&app);
    let read = store::read(&mut desk, &bundle, &asked, platform, app.env.now()).await?;
    let (mut claims, mut allowed) = (Vec::new(), Vec::new());
    for ((place, redemption), read) in redemptions.iter().zip(read) {
        if let Some((claim, then)) = read.and_then(|read| judge(&app, redemption, read)) {
            claims.push(claim);
            allowed.push((*place, then));
        }
    }
    let written = if claims.is_empty() {
        Vec::new()
    } else {
        let members = claims.iter().map(|c| (c.proved, c.tenant, c.code.subject));
        let bundle = app.db.seal_members(members);
        store::write(&mut desk, &bundle, &claims).await?
    };
    Ok(async move {
        desk.commit(app.redemptions.is_waited_for()).await?;
        app.db.rest(desk);
        for (((place, then), claim), is_written) in allowed.into_iter().zip(claims).zip(written) {
            if is_written {
                redeemed[place] = Some(then.redeemed(claim));
            }
        }
        Ok(redeemed)
    })
}

/// Of one code shown many times the first is done here; the slower way ends what it gave, for the
/// others.
fn each_code_once(redemptions: Vec<Redemption>) -> Vec<(usize, Redemption)> {
    let mut codes = HashSet::new();
    let mut firsts: Vec<(usize, Redemption)> = redemptions.into_iter().enumerate().collect();
    firsts.retain(|(_, redemption)| codes.insert(redemption.asked.presented.id));
    firsts
}

/// What the rules allowed, and what it comes to when it is committed.
#[derive(Debug)]
struct Allowed {
    client: Arc<Client>,
    member: Member,
    standing: Standing,
}

impl Allowed {
    fn redeemed(self, claim: Claim) -> Bought {
        let redeemed = Redeemed {
            code: claim.code,
            member: self.member,
            standing: self.standing,
            refresh_token: claim.beginning.expose(),
        };
        (self.client, redeemed)
    }
}

/// Whether the client proves itself, the code is its and good, and the person is still there.
fn judge(app: &App, redemption: &Redemption, read: store::Read) -> Option<(Claim, Allowed)> {
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
    let claim = Claim {
        proved,
        tenant,
        digest: beginning.kept(app),
        event: audit::write(&app.env, &app.keys, EventType::CodeRedeemed, now, detail),
        beginning,
        code,
    };
    let allowed = Allowed {
        client,
        member: read.member,
        standing,
    };
    Some((claim, allowed))
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
