//! One attempt: counted, checked outside any transaction, entered or refused.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use time::Duration;
use uuid::Uuid;

use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::outbox::{self, MailKind};
use crate::db::{Authority, Identity, Proved, StoreError, Tx};
use crate::identity::credential::{self, Credential, store as credentials};
use crate::identity::membership::{Membership, store as memberships};
use crate::identity::password::{DECOY, HashRefusal, MAX_PASSWORD_BYTES};
use crate::identity::throttle::service::{self as throttle, Counted};
use crate::identity::throttle::{Known, Pace, Spot, policy};
use crate::identity::{Login, administration};
use crate::ids::{AccountId, InteractionId, SessionId};
use crate::oidc::interaction::{Interaction, Purpose, service as interaction};
use crate::secret::KeyedDigest;
use crate::sessions::present::{self, Presence};
use crate::sessions::service::{self as sessions, Device, Proof};
use crate::sessions::{EndReason, PresentedSession, Session, SessionSecret, device};
use crate::sign_in::waiting;

/// For what somebody tries, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt<'a> {
    /// The waiting request.
    pub(super) flow: InteractionId,
    /// The session cookie that came along.
    pub(super) presented: Option<&'a PresentedSession>,
    /// The digest of the browser's cookie.
    pub(super) browser: &'a KeyedDigest,
    /// The network in words.
    pub(super) network: &'a str,
    /// The user agent.
    pub(super) agent: &'a str,
}

/// What became of an attempt.
pub(super) enum Tried {
    /// The request waits no longer, or in another browser.
    NoFlow,
    /// No login was named for it yet.
    NoLogin(Interaction),
    /// It was made, with this login.
    Made(Interaction, Login, Outcome),
}

/// What an attempt came to.
pub(super) enum Outcome {
    /// A session: hers again, or a new one. The cookie must be set.
    Entered(SessionId, SessionSecret),
    /// Identifier and password do not match, for whatever reason.
    Mismatch,
    /// Too many attempts.
    Throttled(Duration),
    /// Nothing was checked: all seats for hashing are taken.
    Busy,
    /// It was right, and nobody who works at a clinic is let in while the log is not anchored.
    Unanchored,
}

impl Outcome {
    /// For operators.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Entered(..) => "entered",
            Self::Mismatch => "mismatch",
            Self::Throttled(_) => "throttled",
            Self::Busy => "busy",
            Self::Unanchored => "unanchored",
        }
    }
}

/// Why an attempt was refused, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    UnknownLogin,
    WrongPassword,
    Disabled,
    ChangedMeanwhile,
    Unanchored,
}

impl Refusal {
    const fn word(self) -> &'static str {
        match self {
            Self::UnknownLogin => "unknown_login",
            Self::WrongPassword => "wrong_password",
            Self::Disabled => "disabled",
            Self::ChangedMeanwhile => "changed_meanwhile",
            Self::Unanchored => "unanchored",
        }
    }
}

/// What was read when the attempt was counted.
struct Read {
    waiting: Interaction,
    login: Login,
    locator: Uuid,
    credential: Option<Credential>,
    known: Known,
    counted: Counted,
}

/// Tries one password. Three steps: count and read in a transaction, hash outside, write in a
/// second one.
pub(super) async fn attempt(
    app: &App,
    attempt: &Attempt<'_>,
    password: &SecretString,
) -> Result<Tried, StoreError> {
    let network = app
        .keys
        .lasting_digest("network", attempt.network.as_bytes(), &[]);
    let spot = Spot {
        browser: attempt.browser,
        network: &network,
    };
    let counting = app
        .db
        .run(interaction::authority(attempt.flow), async |tx| {
            count(tx, app, attempt, spot, password).await
        });
    let read = match counting.await? {
        Ok(read) => read,
        Err(not_made) => return Ok(not_made),
    };
    let outcome = judge(app, attempt, spot, &read, password).await?;
    Ok(Tried::Made(read.waiting, read.login, outcome))
}

/// What comes of an attempt that was counted.
async fn judge(
    app: &App,
    attempt: &Attempt<'_>,
    spot: Spot<'_>,
    read: &Read,
    password: &SecretString,
) -> Result<Outcome, StoreError> {
    let counted = match &read.counted {
        Counted::Refused { wait, .. } => return Ok(Outcome::Throttled(*wait)),
        Counted::Admitted(counted) => counted,
    };
    let claim = || Authority::<Identity>::claim(read.locator);
    let Some(matches) = compare(app, password, read.credential.as_ref()).await else {
        let taking_back = app
            .db
            .run(claim(), async |tx| throttle::take_back(tx, counted).await);
        taking_back.await?;
        return Ok(Outcome::Busy);
    };
    let verdict = match &read.credential {
        None => Err(Refusal::UnknownLogin),
        Some(_) if !matches => Err(Refusal::WrongPassword),
        Some(credential) if !credential.is_active => Err(Refusal::Disabled),
        Some(credential) => Ok(credential),
    };
    let credential = match verdict {
        Ok(credential) => credential,
        Err(refusal) => {
            let refusing = app
                .db
                .run(claim(), async |tx| refuse(tx, app, read, refusal).await);
            return refusing.await;
        }
    };
    let entrance = Entrance {
        attempt,
        waiting: &read.waiting,
        proof: Proof(Proved::by_check(credential.account_id)),
        epoch: credential.password_epoch,
        spot,
        known: read.known,
    };
    app.db
        .run(Authority::account(entrance.proof.0), async |tx| {
            // What was hashed against must still be hers.
            let now = credentials::find_own(tx, credential.account_id).await?;
            if now.as_ref() != Some(credential) {
                tx.proceed(claim()).await?;
                return refuse(tx, app, read, Refusal::ChangedMeanwhile).await;
            }
            throttle::forgive(tx, counted).await?;
            if is_kept_out(tx, app, credential.account_id).await? {
                tx.proceed(claim()).await?;
                refuse(tx, app, read, Refusal::Unanchored).await?;
                return Ok(Outcome::Unanchored);
            }
            enter(tx, app, &entrance).await
        })
        .await
}

/// Whether she works at a clinic, and what she did could be taken out of the log without a trace.
async fn is_kept_out(
    tx: &mut Tx<Identity>,
    app: &App,
    account: AccountId,
) -> Result<bool, StoreError> {
    let patience = app.config.audit.anchor_patience;
    if !app.anchoring.keeps_staff_out(app.env.now(), patience) {
        return Ok(false);
    }
    let hers = memberships::list_active(tx, account).await?;
    Ok(hers.iter().any(Membership::is_staff))
}

/// Whether the password is the credential's; `None`: there was no seat to find out. Without a
/// credential the decoy is hashed, so that all take as long.
async fn compare(
    app: &App,
    password: &SecretString,
    credential: Option<&Credential>,
) -> Option<bool> {
    let phc = credential.map_or(DECOY, |credential| &credential.phc);
    let judged = match app.hasher.verify(password, phc).await {
        // The operator's fault is no help to whoever measures: the decoy takes its place.
        Err(HashRefusal::OutOfBounds) => {
            tracing::error!("a stored password hash is outside the bounds");
            app.hasher.verify(password, DECOY).await.map(|_| false)
        }
        judged => judged,
    };
    match judged {
        Ok(matches) => Some(matches),
        Err(HashRefusal::Busy) => None,
        Err(HashRefusal::TooLong | HashRefusal::OutOfBounds) => Some(false),
    }
}

/// Counts the attempt and reads what it is judged by. In a transaction that claims the waiting
/// request, and goes on in it as the login that was named there.
async fn count(
    tx: &mut Tx<Identity>,
    app: &App,
    attempt: &Attempt<'_>,
    spot: Spot<'_>,
    password: &SecretString,
) -> Result<Result<Read, Tried>, StoreError> {
    let Some(waiting) = waiting::find(tx, app, attempt.flow, attempt.browser).await? else {
        return Ok(Err(Tried::NoFlow));
    };
    let Some(login) = waiting::login(&waiting) else {
        return Ok(Err(Tried::NoLogin(waiting)));
    };
    // Nobody's, and not hashed: no guess to count.
    if password.expose_secret().len() > 4 * MAX_PASSWORD_BYTES {
        return Ok(Err(Tried::Made(waiting, login, Outcome::Mismatch)));
    }
    let locator = administration::locator(&app.keys, &login);
    tx.proceed(Authority::claim(locator)).await?;
    let (credential, known) = credentials::find_attempted(tx, locator, spot, app.env.now()).await?;
    let paces: Vec<Pace> = policy::paces(&app.keys, &app.config.throttle, locator, spot, known);
    let counted = throttle::count(tx, app, paces).await?;
    if let Counted::Refused { pace, .. } = &counted {
        let mut detail = credential::named(&app.keys, &login, credential.as_ref());
        detail["counter"] = json!(pace);
        audit::append(tx, &app.env, &app.keys, EventType::SignInThrottled, detail).await?;
    }
    Ok(Ok(Read {
        waiting,
        login,
        locator,
        credential,
        known,
        counted,
    }))
}

async fn refuse(
    tx: &mut Tx<Identity>,
    app: &App,
    read: &Read,
    refusal: Refusal,
) -> Result<Outcome, StoreError> {
    // Read again for an unknown login too: the same statements for all.
    let credential = credentials::find_claimed(tx, read.locator).await?;
    let mut detail = credential::named(&app.keys, &read.login, credential.as_ref());
    detail["reason"] = json!(refusal.word());
    audit::append(tx, &app.env, &app.keys, EventType::SignInRefused, detail).await?;
    Ok(Outcome::Mismatch)
}

/// A person whose password was right.
struct Entrance<'a> {
    attempt: &'a Attempt<'a>,
    waiting: &'a Interaction,
    proof: Proof,
    epoch: i32,
    spot: Spot<'a>,
    known: Known,
}

async fn enter(
    tx: &mut Tx<Identity>,
    app: &App,
    entrance: &Entrance<'_>,
) -> Result<Outcome, StoreError> {
    let Entrance {
        attempt,
        waiting,
        proof,
        epoch,
        ..
    } = *entrance;
    let account = proof.account();
    let going_on = settle_present(tx, app, entrance).await?;
    credentials::remember(tx, account, entrance.spot, app.env.now()).await?;
    let label = device::label(attempt.agent);
    if !entrance.known.browser {
        let detail = json!({ "device": label });
        audit::append(
            tx,
            &app.env,
            &app.keys,
            EventType::SessionDeviceFirstSeen,
            detail,
        )
        .await?;
        let mail = MailKind::NewDevice {
            device: label.clone(),
        };
        outbox::post(tx, &app.env, account, &mail).await?;
    }
    let (session, secret) = if let Some(session) = going_on {
        let secret = sessions::prove_again(tx, app, &session, epoch).await?;
        (session, secret)
    } else {
        let device = Device {
            label: &label,
            agent: attempt.agent,
            network: attempt.network,
            is_new: !entrance.known.browser,
        };
        let begun = sessions::begin(tx, app, proof, epoch, &device).await?;
        (begun.session, begun.secret)
    };
    if !matches!(waiting.pending.purpose, Purpose::Authorize(_)) {
        tx.proceed(interaction::authority(waiting.id)).await?;
        interaction::finish(tx, app, waiting.id).await?;
    }
    Ok(Outcome::Entered(session.id, secret))
}

/// What becomes of the session that the browser has: gone on with if it is the same account's,
/// live, and good for what is asked; else it ends.
async fn settle_present(
    tx: &mut Tx<Identity>,
    app: &App,
    entrance: &Entrance<'_>,
) -> Result<Option<Session>, StoreError> {
    let (waiting, proof) = (entrance.waiting, entrance.proof);
    let Some(presented) = entrance.attempt.presented else {
        return Ok(None);
    };
    tx.proceed(Authority::claim(presented.id.as_uuid())).await?;
    let going_on = match present::find_in(tx, app, presented).await? {
        Presence::Here(present)
            if present.session.account == proof.account() && !waiting.pending.anew =>
        {
            Some(present.session)
        }
        Presence::Here(present) => {
            sessions::end(tx, app, present.session.id, EndReason::Replaced).await?;
            None
        }
        Presence::Lapsed(_) | Presence::Over(_) | Presence::Nobody => None,
    };
    tx.proceed(Authority::account(proof.0)).await?;
    Ok(going_on)
}
