//! Setting second factors up, changing and removing them.

use serde_json::json;
use time::OffsetDateTime;

use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::outbox::{self, MailKind};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::factor::{self, Demand, Facts, policy, service as factors};
use crate::identity::membership::store as memberships;
use crate::identity::recovery_code::{RecoveryCode, service as recovery_codes};
use crate::identity::totp::model::TypedCode;
use crate::identity::totp::service::{self as totp, MOST_DEVICES};
use crate::identity::totp::{Device, DeviceName, Enrollment};
use crate::ids::{AccountId, TotpId};
use crate::sessions::present::{self, Presence, Present};
use crate::sessions::{Clocks, PresentedSession, Session, SessionSecret, service as sessions};

/// What a person's own pages ask of a session before they show anything: as much as the strictest
/// of her clinics does.
pub(crate) async fn demand(app: &App, present: &Present) -> Result<Demand, StoreError> {
    let account = present.proof.account();
    let authority = Authority::<Identity>::account(present.proof.0).read_only();
    app.db
        .run(authority, async |tx| {
            let standing = factors::standing(tx, account).await?;
            let is_required = is_required(tx, account).await?;
            Ok(policy::demand(&facts(
                &present.session,
                standing,
                is_required,
            )))
        })
        .await
}

fn facts(session: &Session, standing: factor::Standing, is_required: bool) -> Facts {
    Facts {
        has_device: standing.has_device,
        is_proved: session.factor_proved_at.is_some(),
        is_required,
        is_asked: false,
        is_graced: session.is_graced,
        grace_is_left: standing.grace_is_left,
    }
}

/// Whether any of her clinics, or a role there, asks for a second factor.
pub(crate) async fn is_required(
    tx: &mut Tx<Identity>,
    account: AccountId,
) -> Result<bool, StoreError> {
    let hers = memberships::list_active(tx, account).await?;
    Ok(hers.iter().any(|membership| membership.requires_factor))
}

/// What the page of factors shows.
#[derive(Debug)]
pub(super) struct Overview {
    pub(super) devices: Vec<Device>,
    pub(super) codes_left: i64,
    pub(super) is_required: bool,
    pub(super) clocks: Clocks,
}

/// Looks; that is something a person does.
pub(super) async fn look(app: &App, present: &Present) -> Result<Overview, StoreError> {
    let account = present.proof.account();
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            Ok(Overview {
                clocks: present::touch(tx, app, present).await?,
                devices: totp::list(tx, account).await?,
                codes_left: recovery_codes::count_left(tx, account).await?,
                is_required: is_required(tx, account).await?,
            })
        })
        .await
}

/// Whether a session's proof is fresh enough for a change of factors, and what to ask for if not.
#[derive(Debug)]
pub(super) enum Freshness {
    /// It is.
    Fresh,
    /// A second factor has to be proved.
    AskFactor,
    /// There is none yet: her password, whose login this is.
    AskPassword(String),
}

/// Finds out (LOGIN-16).
pub(super) async fn freshness(app: &App, present: &Present) -> Result<Freshness, StoreError> {
    let account = present.proof.account();
    let authority = Authority::<Identity>::account(present.proof.0).read_only();
    app.db
        .run(authority, async |tx| {
            let standing = factors::standing(tx, account).await?;
            if is_fresh(&present.session, standing, app.env.now()) {
                return Ok(Freshness::Fresh);
            }
            if standing.has_device {
                return Ok(Freshness::AskFactor);
            }
            let login = memberships::find_login(tx, account).await?;
            Ok(Freshness::AskPassword(login.unwrap_or_default()))
        })
        .await
}

fn is_fresh(session: &Session, standing: factor::Standing, now: OffsetDateTime) -> bool {
    let (password_at, factor_at) = (session.proved_at, session.factor_proved_at);
    policy::may_change(standing.has_device, password_at, factor_at, now)
}

/// The device that is being set up in this session, with the login to name it by; `None`: the
/// proof is too old to begin one.
pub(crate) async fn enrollment(
    app: &App,
    present: &Present,
) -> Result<Option<(Enrollment, String)>, StoreError> {
    let (account, session) = (present.proof.account(), &present.session);
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            let standing = factors::standing(tx, account).await?;
            let may_begin = is_fresh(session, standing, app.env.now());
            let begun = totp::enrollment(tx, app, account, session.id, may_begin).await?;
            let login = memberships::find_login(tx, account).await?;
            Ok(begun.zip(login))
        })
        .await
}

/// What setting a device up came to.
#[derive(Debug)]
pub(crate) enum Enrolled {
    /// It counts. The cookie's new secret, and with the first device ten recovery codes.
    Done(SessionSecret, Vec<RecoveryCode>),
    /// Not this device's code.
    Mismatch,
    /// There are as many as there can be.
    TooMany,
    /// Nothing is being set up in this session, or no longer.
    Nothing,
    /// The session ended meanwhile.
    SignedOut,
}

impl Enrolled {
    /// For operators.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Done(..) => "accepted",
            Self::Mismatch => "refused",
            Self::TooMany => "too_many",
            Self::Nothing => "nothing",
            Self::SignedOut => "signed_out",
        }
    }
}

/// Lets the device that this session is setting up count, by its first code; that proves it, too.
/// In a transaction that claims the session.
pub(crate) async fn enroll(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedSession,
    name: &DeviceName,
    code: Option<&TypedCode>,
) -> Result<Enrolled, StoreError> {
    let Presence::Here(present) = present::find_in(tx, app, presented).await? else {
        return Ok(Enrolled::SignedOut);
    };
    let (account, session) = (present.proof.account(), &present.session);
    let devices = totp::list(tx, account).await?.len();
    if devices >= MOST_DEVICES {
        return Ok(Enrolled::TooMany);
    }
    let Some(begun) = totp::enrollment(tx, app, account, session.id, false).await? else {
        return Ok(Enrolled::Nothing);
    };
    let Some(code) = code else {
        return Ok(Enrolled::Mismatch);
    };
    if !totp::confirm(tx, app, &begun, name, code).await? {
        return Ok(Enrolled::Mismatch);
    }
    let secret = sessions::prove_factor(tx, app, session).await?;
    let detail = json!({ "session": session.id, "device": begun.id });
    audit::append(tx, &app.env, &app.keys, EventType::FactorAdded, detail).await?;
    outbox::post(tx, &app.env, account, &MailKind::FactorAdded {}).await?;
    let codes = if devices == 0 {
        recovery_codes::make(tx, app, account).await?
    } else {
        Vec::new()
    };
    Ok(Enrolled::Done(secret, codes))
}

/// What a change of factors came to.
#[derive(Debug)]
pub(super) enum Changed<T> {
    /// Done.
    Done(T),
    /// She has none such.
    Unknown,
    /// The last device stays while her work asks for one.
    LastStays,
    /// Her proof is too old.
    Stale,
    /// The session ended meanwhile.
    SignedOut,
}

/// The account of a session whose proof is fresh enough for a change, in a transaction that claims
/// it. Asked in the very transaction that changes something.
async fn changing(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedSession,
) -> Result<Result<Box<Present>, Changed<()>>, StoreError> {
    let Presence::Here(present) = present::find_own_in(tx, app, presented).await? else {
        return Ok(Err(Changed::SignedOut));
    };
    present::touch(tx, app, &present).await?;
    let standing = factors::standing(tx, present.proof.account()).await?;
    Ok(if is_fresh(&present.session, standing, app.env.now()) {
        Ok(present)
    } else {
        Err(Changed::Stale)
    })
}

/// Removes a device. With the last one her recovery codes end.
pub(super) async fn remove(
    app: &App,
    presented: &PresentedSession,
    id: TotpId,
) -> Result<Changed<()>, StoreError> {
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    app.db
        .run(authority, async |tx| {
            let present = match changing(tx, app, presented).await? {
                Ok(present) => present,
                Err(refused) => return Ok(refused),
            };
            let account = present.proof.account();
            let devices = totp::list(tx, account).await?;
            if !devices.iter().any(|device| device.id == id) {
                return Ok(Changed::Unknown);
            }
            if !policy::may_remove(devices.len(), is_required(tx, account).await?) {
                return Ok(Changed::LastStays);
            }
            if !totp::remove(tx, account, id).await? {
                return Ok(Changed::Unknown);
            }
            if devices.len() == 1 {
                recovery_codes::end_all(tx, account).await?;
            }
            let detail = json!({ "session": present.session.id, "device": id });
            audit::append(tx, &app.env, &app.keys, EventType::FactorRemoved, detail).await?;
            outbox::post(tx, &app.env, account, &MailKind::FactorRemoved {}).await?;
            Ok(Changed::Done(()))
        })
        .await
}

/// Gives a device another name.
pub(super) async fn rename(
    app: &App,
    presented: &PresentedSession,
    id: TotpId,
    name: &DeviceName,
) -> Result<Changed<()>, StoreError> {
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    app.db
        .run(authority, async |tx| {
            let present = match changing(tx, app, presented).await? {
                Ok(present) => present,
                Err(refused) => return Ok(refused),
            };
            let is_hers = totp::rename(tx, present.proof.account(), id, name).await?;
            Ok(if is_hers {
                Changed::Done(())
            } else {
                Changed::Unknown
            })
        })
        .await
}

/// Ten new recovery codes in the place of the old ones, for an account that has a device.
pub(super) async fn renew_codes(
    app: &App,
    presented: &PresentedSession,
) -> Result<Changed<Vec<RecoveryCode>>, StoreError> {
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    app.db
        .run(authority, async |tx| {
            let present = match changing(tx, app, presented).await? {
                Ok(present) => present,
                Err(Changed::SignedOut) => return Ok(Changed::SignedOut),
                Err(_) => return Ok(Changed::Stale),
            };
            let account = present.proof.account();
            if !factors::standing(tx, account).await?.has_device {
                return Ok(Changed::Unknown);
            }
            let codes = recovery_codes::make(tx, app, account).await?;
            outbox::post(tx, &app.env, account, &MailKind::RecoveryCodesMade {}).await?;
            Ok(Changed::Done(codes))
        })
        .await
}
