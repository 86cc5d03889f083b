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
use crate::identity::password::{DECOY, HashRefusal, MAX_PASSWORD_BYTES};
use crate::identity::throttle::service::{self as throttle, Counted};
use crate::identity::throttle::{Known, Pace, Spot, policy};
use crate::identity::{Login, administration};
use crate::ids::{AccountId, SessionId};
use crate::oidc::interaction::{Interaction, Purpose, service as interaction};
use crate::secret::KeyedDigest;
use crate::sessions::present::{self, Presence};
use crate::sessions::service::{self as sessions, Device, Proof};
use crate::sessions::{EndReason, PresentedSession, SessionSecret, device};

/// Who tries, and from where.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    /// The waiting request.
    pub(super) interaction: &'a Interaction,
    /// What was typed as identifier.
    pub(super) login: &'a Login,
    /// The session cookie that came along.
    pub(super) presented: Option<&'a PresentedSession>,
    /// The digest of the browser's cookie.
    pub(super) browser: &'a KeyedDigest,
    /// The network in words.
    pub(super) network: &'a str,
    /// The user agent.
    pub(super) agent: &'a str,
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
}

impl Outcome {
    /// For operators.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Entered(..) => "entered",
            Self::Mismatch => "mismatch",
            Self::Throttled(_) => "throttled",
            Self::Busy => "busy",
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
}

impl Refusal {
    const fn word(self) -> &'static str {
        match self {
            Self::UnknownLogin => "unknown_login",
            Self::WrongPassword => "wrong_password",
            Self::Disabled => "disabled",
            Self::ChangedMeanwhile => "changed_meanwhile",
        }
    }
}

/// What was read when the attempt was counted.
struct Read {
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
) -> Result<Outcome, StoreError> {
    if password.expose_secret().len() > 4 * MAX_PASSWORD_BYTES {
        return Ok(Outcome::Mismatch);
    }
    let locator = administration::locator(&app.keys, attempt.login);
    let network = app
        .keys
        .lasting_digest("network", attempt.network.as_bytes(), &[]);
    let spot = Spot {
        browser: attempt.browser,
        network: &network,
    };
    let read = app
        .db
        .run(Authority::<Identity>::claim(locator), async |tx| {
            count(tx, app, attempt, locator, spot).await
        })
        .await?;
    let counted = match read.counted {
        Counted::Refused { wait, .. } => return Ok(Outcome::Throttled(wait)),
        Counted::Admitted(counted) => counted,
    };
    let Some(matches) = judge(app, password, read.credential.as_ref()).await else {
        let claim = Authority::<Identity>::claim(locator);
        app.db
            .run(claim, async |tx| throttle::take_back(tx, &counted).await)
            .await?;
        return Ok(Outcome::Busy);
    };
    let verdict = match read.credential {
        None => Err(Refusal::UnknownLogin),
        Some(_) if !matches => Err(Refusal::WrongPassword),
        Some(credential) if !credential.is_active => Err(Refusal::Disabled),
        Some(credential) => Ok(credential),
    };
    app.db
        .run(Authority::<Identity>::claim(locator), async |tx| {
            let entering = match verdict {
                Ok(credential) => confirm(tx, locator, credential).await?,
                Err(refusal) => Err(refusal),
            };
            match entering {
                Err(refusal) => refuse(tx, app, attempt, locator, refusal).await,
                Ok(credential) => {
                    throttle::forgive(tx, &counted).await?;
                    enter(
                        tx,
                        app,
                        attempt,
                        &Entrance {
                            credential,
                            spot,
                            known: read.known,
                        },
                    )
                    .await
                }
            }
        })
        .await
}

/// Whether the password is the credential's; `None`: there was no seat to find out. Without a
/// credential the decoy is hashed, so that all take as long.
async fn judge(
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

async fn count(
    tx: &mut Tx<Identity>,
    app: &App,
    attempt: &Attempt<'_>,
    locator: Uuid,
    spot: Spot<'_>,
) -> Result<Read, StoreError> {
    let known = credentials::is_known(tx, locator, spot, app.env.now()).await?;
    let paces: Vec<Pace> = policy::paces(&app.keys, &app.config.throttle, locator, spot, known);
    let counted = throttle::count(tx, app, paces).await?;
    let credential = credentials::find_claimed(tx, locator).await?;
    if let Counted::Refused { pace, .. } = &counted {
        let mut detail = credential::named(&app.keys, attempt.login, credential.as_ref());
        detail["counter"] = json!(pace);
        audit::append(tx, &app.env, &app.keys, EventType::SignInThrottled, detail).await?;
    }
    Ok(Read {
        credential,
        known,
        counted,
    })
}

/// The credential, if it is still what was hashed against.
async fn confirm(
    tx: &mut Tx<Identity>,
    locator: Uuid,
    read: Credential,
) -> Result<Result<Credential, Refusal>, StoreError> {
    let now = credentials::find_claimed(tx, locator).await?;
    Ok(if now.as_ref() == Some(&read) {
        Ok(read)
    } else {
        Err(Refusal::ChangedMeanwhile)
    })
}

async fn refuse(
    tx: &mut Tx<Identity>,
    app: &App,
    attempt: &Attempt<'_>,
    locator: Uuid,
    refusal: Refusal,
) -> Result<Outcome, StoreError> {
    // Read again for an unknown login too: the same statements for all.
    let credential = credentials::find_claimed(tx, locator).await?;
    let mut detail = credential::named(&app.keys, attempt.login, credential.as_ref());
    detail["reason"] = json!(refusal.word());
    audit::append(tx, &app.env, &app.keys, EventType::SignInRefused, detail).await?;
    Ok(Outcome::Mismatch)
}

/// A person whose password was right.
struct Entrance<'a> {
    credential: Credential,
    spot: Spot<'a>,
    known: Known,
}

async fn enter(
    tx: &mut Tx<Identity>,
    app: &App,
    attempt: &Attempt<'_>,
    entrance: &Entrance<'_>,
) -> Result<Outcome, StoreError> {
    let account = entrance.credential.account_id;
    let going_on = settle_present(tx, app, attempt, account).await?;
    let proof = Proof(Proved::by_check(account));
    tx.proceed(Authority::account(proof.0)).await?;
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
    let epoch = entrance.credential.password_epoch;
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
    if !matches!(attempt.interaction.pending.purpose, Purpose::Authorize(_)) {
        tx.proceed(interaction::authority(attempt.interaction.id))
            .await?;
        interaction::finish(tx, app, attempt.interaction.id).await?;
    }
    Ok(Outcome::Entered(session.id, secret))
}

/// What becomes of the session that the browser has: gone on with if it is the same account's,
/// live, and good for what is asked; else it ends.
async fn settle_present(
    tx: &mut Tx<Identity>,
    app: &App,
    attempt: &Attempt<'_>,
    account: AccountId,
) -> Result<Option<crate::sessions::Session>, StoreError> {
    let Some(presented) = attempt.presented else {
        return Ok(None);
    };
    tx.proceed(Authority::claim(presented.id.as_uuid())).await?;
    let Presence::Here(present) = present::find_in(tx, app, presented).await? else {
        return Ok(None);
    };
    if present.session.account == account && !attempt.interaction.pending.anew {
        return Ok(Some(present.session));
    }
    sessions::end(tx, app, present.session.id, EndReason::Replaced).await?;
    Ok(None)
}
