//! Use cases of a session. Each takes a transaction of the identity plane and opens none.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::model::{EndReason, PresentedSession, Session, SessionSecret};
use super::policy;
use super::store::{self, Place};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, Proved, StoreError, Tx};
use crate::ids::{AccountId, SessionId};
use crate::secret::KeyedDigest;

pub use super::in_tenant::{
    Inspected, Standing, find_by_sid, find_for_tenant, find_in_tenant, inspect, limits,
    note_activity, open_for_tenant, platform_limits, session_of,
};

/// Whose cookie this is: the standing session it names, if its secret is right.
///
/// Begins in a transaction of [`Authority::claim`] on the cookie's session and goes on in it as
/// the account. `None`: no such session, a wrong secret, ended, or of an older password epoch.
/// The clocks are the caller's to check, since they depend on tenant and app.
pub async fn recognize(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedSession,
) -> Result<Option<(Session, Proof)>, StoreError> {
    let Some((account, digest)) = store::find_claimed(tx, presented.id).await? else {
        return Ok(None);
    };
    let Some(proved) = prove(app, presented, account, &digest) else {
        return Ok(None);
    };
    tx.proceed(Authority::account(proved)).await?;
    let stored = store::find(tx, presented.id).await?;
    Ok(stored
        .filter(|s| s.stands)
        .map(|s| (s.session, Proof(proved))))
}

/// Proof of `account`, whose the session is, if the cookie shows its secret, of which `stored` is
/// kept.
pub(crate) fn prove(
    app: &App,
    presented: &PresentedSession,
    account: AccountId,
    stored: &[u8],
) -> Option<Proved> {
    let expected = secret_digest(app, presented.id, account, &presented.secret);
    expected.matches(stored).then(|| Proved::by_check(account))
}

/// Proof that [`recognize`] or a sign-in said yes; what an account's transaction asks for.
#[derive(Clone, Copy, Debug)]
pub struct Proof(pub(crate) Proved);

impl Proof {
    /// Whose.
    pub const fn account(self) -> AccountId {
        self.0.account()
    }
}

/// What the browser of a sign-in is like.
#[derive(Debug)]
pub struct Device<'a> {
    /// Browser and system in words, from the user agent; shown to the person herself.
    pub label: &'a str,
    /// The whole user agent; kept as a digest.
    pub agent: &'a str,
    /// The network it came from; kept as a digest.
    pub network: &'a str,
    /// Whether the account was never seen with this browser before.
    pub is_new: bool,
}

/// A session that began, with the secret for its cookie.
#[derive(Debug)]
pub struct Begun {
    /// It.
    pub session: Session,
    /// The cookie's secret half.
    pub secret: SessionSecret,
}

/// Begins a session for an account that just proved who she is, in a transaction of the account.
/// One more than she may have ends the one that was idle longest (WEB-16).
pub async fn begin(
    tx: &mut Tx<Identity>,
    app: &App,
    proof: Proof,
    password_epoch: i32,
    device: &Device<'_>,
) -> Result<Begun, StoreError> {
    let now = app.env.now();
    let account = proof.account();
    let secret = SessionSecret::new(app.env.random_bytes());
    let session = Session {
        id: SessionId::from_uuid(app.env.random_uuid()),
        account,
        password_epoch,
        amr: vec![PASSWORD.to_owned()],
        authenticated_at: now,
        proved_at: now,
        factor_proved_at: None,
        is_graced: false,
        active_at: now,
        silences: Vec::new(),
        device_label: device.label.chars().take(120).collect(),
    };
    let agent = app
        .keys
        .lasting_digest("user_agent", device.agent.as_bytes(), &[]);
    let network = app
        .keys
        .lasting_digest("network", device.network.as_bytes(), &[]);
    let place = Place {
        device_label: &session.device_label,
        agent_digest: agent.as_bytes(),
        network_digest: network.as_bytes(),
    };
    let digest = secret_digest(app, session.id, account, &secret);
    store::insert(tx, &session, digest.as_bytes(), &place).await?;
    let most = app.config.session.most_per_person;
    let displaced = store::mark_surplus_ended(tx, account, session.id, most, now).await?;
    let mut events: Vec<_> = displaced
        .into_iter()
        .map(|displaced| ended(displaced, EndReason::Displaced))
        .collect();
    events.push((
        EventType::SessionSignedIn,
        json!({ "session": session.id, "amr": session.amr, "new_device": device.is_new }),
    ));
    audit::append_all(tx, &app.env, &app.keys, events).await?;
    Ok(Begun { session, secret })
}

/// Notes that she proved her password again in a live session: a new cookie secret, a later
/// `proved_at`; the absolute clock stays. The proof begins anew: a second factor that was proved
/// in the session before, or the grace, counts no longer.
pub async fn prove_again(
    tx: &mut Tx<Identity>,
    app: &App,
    session: &Session,
    password_epoch: i32,
) -> Result<SessionSecret, StoreError> {
    let now = app.env.now();
    let (secret, digest) = go_on(tx, app, session, now).await?;
    store::mark_proved(tx, session.id, digest.as_bytes(), password_epoch, now).await?;
    record_sign_in(tx, app, session, &[PASSWORD]).await?;
    Ok(secret)
}

/// The same after she changed her password in the session: what she proved in it goes on counting.
pub async fn renew(
    tx: &mut Tx<Identity>,
    app: &App,
    session: &Session,
    password_epoch: i32,
) -> Result<SessionSecret, StoreError> {
    let now = app.env.now();
    let (secret, digest) = go_on(tx, app, session, now).await?;
    store::mark_renewed(tx, session.id, digest.as_bytes(), password_epoch, now).await?;
    let amr: Vec<&str> = session.amr.iter().map(String::as_str).collect();
    record_sign_in(tx, app, session, &amr).await?;
    Ok(secret)
}

/// How a session says that a password was proved (RFC 8176 §2).
const PASSWORD: &str = "pwd";
/// The same with a second factor: `otp` covers every password that is good once, a time-based code
/// as well as a recovery code (record 0014).
const WITH_FACTOR: [&str; 3] = [PASSWORD, "otp", "mfa"];

/// Notes that she proved a second factor in a live session: a new cookie secret, and `amr`.
pub async fn prove_factor(
    tx: &mut Tx<Identity>,
    app: &App,
    session: &Session,
) -> Result<SessionSecret, StoreError> {
    let now = app.env.now();
    let (secret, digest) = go_on(tx, app, session, now).await?;
    let amr = WITH_FACTOR.map(str::to_owned);
    store::mark_factor_proved(tx, session.id, digest.as_bytes(), &amr, now).await?;
    Ok(secret)
}

/// Lets a session go on without a second factor; the account's grace was spent just before.
pub async fn grace(tx: &mut Tx<Identity>, app: &App, session: SessionId) -> Result<(), StoreError> {
    store::mark_graced(tx, session, app.env.now()).await
}

/// A fresh secret for a session that goes on after a proof, and its digest. A clinic that the
/// silence until now logged off stays so.
async fn go_on(
    tx: &mut Tx<Identity>,
    app: &App,
    session: &Session,
    now: OffsetDateTime,
) -> Result<(SessionSecret, KeyedDigest), StoreError> {
    let silences = policy::silences_after(session, now);
    store::mark_active(tx, session, &silences, now).await?;
    let secret = SessionSecret::new(app.env.random_bytes());
    let digest = secret_digest(app, session.id, session.account, &secret);
    Ok((secret, digest))
}

async fn record_sign_in(
    tx: &mut Tx<Identity>,
    app: &App,
    session: &Session,
    amr: &[&str],
) -> Result<(), StoreError> {
    let detail = json!({ "session": session.id, "amr": amr, "again": true });
    audit::append(tx, &app.env, &app.keys, EventType::SessionSignedIn, detail).await
}

/// Ends one session of the transaction's account; false if it was not live or not hers.
pub async fn end(
    tx: &mut Tx<Identity>,
    app: &App,
    session: SessionId,
    reason: EndReason,
) -> Result<bool, StoreError> {
    let is_ended = store::mark_ended(tx, session, reason, app.env.now()).await?;
    if is_ended {
        let (event, detail) = ended(session, reason);
        audit::append(tx, &app.env, &app.keys, event, detail).await?;
    }
    Ok(is_ended)
}

/// Ends all sessions of an account but `kept`; says how many.
pub async fn end_others(
    tx: &mut Tx<Identity>,
    app: &App,
    account: AccountId,
    kept: Option<SessionId>,
    reason: EndReason,
) -> Result<usize, StoreError> {
    let ended = store::mark_others_ended(tx, account, kept, reason, app.env.now()).await?;
    let events = ended.iter().map(|session| self::ended(*session, reason));
    audit::append_all(tx, &app.env, &app.keys, events.collect()).await?;
    Ok(ended.len())
}

/// What the log says of a session's end.
fn ended(session: SessionId, reason: EndReason) -> (EventType, Value) {
    let detail = json!({ "session": session, "reason": reason.name() });
    (EventType::SessionEnded, detail)
}

/// The live sessions of the transaction's account, newest first.
pub async fn list(tx: &mut Tx<Identity>, account: AccountId) -> Result<Vec<Session>, StoreError> {
    let stored = store::list(tx, account).await?;
    Ok(stored
        .into_iter()
        .filter(|s| s.stands)
        .map(|s| s.session)
        .collect())
}

fn secret_digest(
    app: &App,
    session: SessionId,
    account: AccountId,
    secret: &SessionSecret,
) -> KeyedDigest {
    let bound: [&[u8]; 2] = [
        &session.as_uuid().into_bytes(),
        &account.as_uuid().into_bytes(),
    ];
    app.keys.digest("session", secret.expose(), &bound)
}
