//! The step after the password: proving a second factor, setting one up, or putting that off once.

use serde_json::json;
use time::Duration;

use crate::account::factors as enrolling;
pub(super) use crate::account::factors::Enrolled;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::factor::{self, Demand, Facts, Verdict};
use crate::identity::membership::store as memberships;
use crate::identity::recovery_code::{RecoveryCode, service as recovery_codes};
use crate::identity::throttle::service::{self as throttle, Counted};
use crate::identity::throttle::{Spot, policy as pace};
use crate::identity::totp::model::TypedCode;
use crate::identity::totp::service as totp;
use crate::identity::totp::{DeviceName, Enrollment};
use crate::oidc::authorize::request::asks_for_factor;
use crate::oidc::interaction::{Interaction, Purpose, service as interaction};
use crate::secret::KeyedDigest;
use crate::sessions::present::{self, Presence, Present};
use crate::sessions::{PresentedSession, SessionSecret, service as sessions};

/// Who is asked for a second factor.
#[derive(Debug)]
pub(super) struct Asked {
    /// Her login.
    pub(super) login: String,
    /// Whether her account has a device at all.
    pub(super) has_device: bool,
}

/// Finds out.
pub(super) async fn ask(app: &App, present: &Present) -> Result<Asked, StoreError> {
    let account = present.proof.account();
    let authority = Authority::<Identity>::account(present.proof.0).read_only();
    app.db
        .run(authority, async |tx| {
            let standing = factor::service::standing(tx, account).await?;
            let login = memberships::find_login(tx, account).await?;
            Ok(Asked {
                login: login.unwrap_or_default(),
                has_device: standing.has_device,
            })
        })
        .await
}

/// One attempt, and where it comes from.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    /// The waiting request.
    pub(super) interaction: &'a Interaction,
    /// The session that goes on if it is right.
    pub(super) presented: &'a PresentedSession,
    /// The digest of the browser's cookie.
    pub(super) browser: &'a KeyedDigest,
    /// The network in words.
    pub(super) network: &'a str,
}

/// What was typed.
#[derive(Debug)]
pub(super) enum Typed {
    /// A device's code; `None`: nothing that could be one.
    Code(Option<TypedCode>),
    /// A recovery code; `None`: nothing that could be one.
    Recovery(Option<RecoveryCode>),
}

impl Typed {
    /// For the log and for operators.
    pub(super) const fn method(&self) -> &'static str {
        match self {
            Self::Code(_) => "totp",
            Self::Recovery(_) => "recovery_code",
        }
    }
}

/// What an attempt came to.
pub(super) enum Outcome {
    /// Proved: the cookie's new secret.
    Proved(SessionSecret),
    /// None of hers, or used before: all one to who typed it.
    Mismatch { is_replay: bool },
    /// Too many attempts.
    Throttled(Duration),
    /// The session ended meanwhile.
    SignedOut,
}

impl Outcome {
    /// For operators.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Proved(_) => "accepted",
            Self::Mismatch { is_replay: false } => "refused",
            Self::Mismatch { is_replay: true } => "replayed",
            Self::Throttled(_) => "throttled",
            Self::SignedOut => "signed_out",
        }
    }
}

/// Tries one code: counted, judged and taken in one transaction, whose counters stay locked until
/// it commits, so that parallel guesses can't outrun the count (LOGIN-04).
pub(super) async fn attempt(
    app: &App,
    attempt: &Attempt<'_>,
    typed: &Typed,
) -> Result<Outcome, StoreError> {
    let authority = Authority::<Identity>::claim(attempt.presented.id.as_uuid());
    app.db
        .run(authority, async |tx| {
            let found = present::find_in(tx, app, attempt.presented).await?;
            match found {
                Presence::Here(present) => judge(tx, app, attempt, &present, typed).await,
                Presence::Lapsed(_) | Presence::Over(_) | Presence::Nobody => {
                    Ok(Outcome::SignedOut)
                }
            }
        })
        .await
}

async fn judge(
    tx: &mut Tx<Identity>,
    app: &App,
    attempt: &Attempt<'_>,
    present: &Present,
    typed: &Typed,
) -> Result<Outcome, StoreError> {
    let (account, session) = (present.proof.account(), &present.session);
    let network = app.keys.digest("network", attempt.network.as_bytes(), &[]);
    let spot = Spot {
        browser: attempt.browser,
        network: &network,
    };
    let paces = pace::factor_paces(&app.keys, &app.config.throttle, account, spot);
    let counted = match throttle::count(tx, app, paces).await? {
        Counted::Admitted(counted) => counted,
        Counted::Refused { wait, pace } => {
            let detail = json!({ "session": session.id, "counter": pace });
            audit::append(tx, &app.env, &app.keys, EventType::FactorThrottled, detail).await?;
            return Ok(Outcome::Throttled(wait));
        }
    };
    let verdict = match typed {
        Typed::Code(Some(code)) => totp::prove(tx, app, account, code).await?,
        Typed::Recovery(Some(code)) => recovery_codes::spend(tx, app, account, code).await?,
        Typed::Code(None) | Typed::Recovery(None) => Verdict::Refused,
    };
    let detail = json!({ "session": session.id, "method": typed.method() });
    if verdict != Verdict::Accepted {
        audit::append(tx, &app.env, &app.keys, EventType::FactorRefused, detail).await?;
        return Ok(Outcome::Mismatch {
            is_replay: verdict == Verdict::Replayed,
        });
    }
    throttle::forgive(tx, &counted).await?;
    let secret = sessions::prove_factor(tx, app, session).await?;
    audit::append(tx, &app.env, &app.keys, EventType::FactorProved, detail).await?;
    finish_own(tx, app, attempt.interaction).await?;
    Ok(Outcome::Proved(secret))
}

/// An interaction for our own pages ends here; one for an app ends with its code.
async fn finish_own(
    tx: &mut Tx<Identity>,
    app: &App,
    waiting: &Interaction,
) -> Result<(), StoreError> {
    if !matches!(waiting.pending.purpose, Purpose::Authorize(_)) {
        tx.proceed(interaction::authority(waiting.id)).await?;
        interaction::finish(tx, app, waiting.id).await?;
    }
    Ok(())
}

/// What someone without a device is offered.
#[derive(Debug)]
pub(super) enum Offer {
    /// Nothing is asked of her any more: onward.
    Nothing,
    /// She has a device: that has to be proved.
    Prove,
    /// Her password was proved too long ago to begin; her login.
    ProvePassword(String),
    /// To set this one up, under this login.
    Enroll {
        /// The device.
        begun: Enrollment,
        /// How an app names it.
        login: String,
        /// Whether she may put it off.
        may_postpone: bool,
    },
}

/// Offers what the interaction asks of the session.
pub(super) async fn offer(
    app: &App,
    present: &Present,
    waiting: &Interaction,
) -> Result<Offer, StoreError> {
    let authority = Authority::<Identity>::account(present.proof.0).read_only();
    let demanded = app
        .db
        .run(authority, async |tx| demand(tx, present, waiting).await);
    let may_postpone = match demanded.await? {
        Demand::Nothing => return Ok(Offer::Nothing),
        Demand::Prove => return Ok(Offer::Prove),
        Demand::Enroll { may_postpone } => may_postpone,
    };
    Ok(match enrolling::enrollment(app, present).await? {
        Some((begun, login)) => Offer::Enroll {
            begun,
            login,
            may_postpone,
        },
        None => Offer::ProvePassword(ask(app, present).await?.login),
    })
}

/// What is asked of a session in this interaction: by the clinic it is for, or while that is not
/// known by any of hers.
async fn demand(
    tx: &mut Tx<Identity>,
    present: &Present,
    waiting: &Interaction,
) -> Result<Demand, StoreError> {
    let account = present.proof.account();
    let standing = factor::service::standing(tx, account).await?;
    let hers = memberships::list_active(tx, account).await?;
    let wanted = waiting.pending.tenant;
    let is_required = hers
        .iter()
        .filter(|m| wanted.is_none_or(|tenant| m.clinic.tenant_id == tenant))
        .any(|membership| membership.requires_factor);
    let is_asked = match &waiting.pending.purpose {
        Purpose::Authorize(request) => asks_for_factor(request),
        Purpose::Account | Purpose::Factors => false,
    };
    Ok(factor::policy::demand(&Facts {
        has_device: standing.has_device,
        is_proved: present.session.factor_proved_at.is_some(),
        is_required,
        is_asked,
        is_graced: present.session.is_graced,
        grace_is_left: standing.grace_is_left,
    }))
}

/// Lets the device that is being set up count.
pub(super) async fn enroll(
    app: &App,
    presented: &PresentedSession,
    waiting: &Interaction,
    code: Option<&TypedCode>,
) -> Result<Enrolled, StoreError> {
    let unnamed = DeviceName::parse("").ok_or(StoreError::Corrupt {
        table: "identity.totp",
        what: "no name for a device without one",
    })?;
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    app.db
        .run(authority, async |tx| {
            let enrolled = enrolling::enroll(tx, app, presented, &unnamed, code).await?;
            if let Enrolled::Done(..) = enrolled {
                finish_own(tx, app, waiting).await?;
            }
            Ok(enrolled)
        })
        .await
}

/// Puts setting one up off, once for each account; false if that may not be. In a transaction
/// that claims the session.
pub(super) async fn postpone(
    app: &App,
    presented: &PresentedSession,
    waiting: &Interaction,
) -> Result<bool, StoreError> {
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    app.db
        .run(authority, async |tx| {
            let Presence::Here(present) = present::find_in(tx, app, presented).await? else {
                return Ok(false);
            };
            let demanded = demand(tx, &present, waiting).await?;
            if demanded != (Demand::Enroll { may_postpone: true }) {
                return Ok(false);
            }
            if !factor::service::spend_grace(tx, app, present.proof.account()).await? {
                return Ok(false);
            }
            sessions::grace(tx, app, present.session.id).await?;
            finish_own(tx, app, waiting).await?;
            Ok(true)
        })
        .await
}
