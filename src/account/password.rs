//! Changing the password: the current one is checked, the new one judged, and everything else
//! that the old one opened is closed.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use time::Duration;
use unicode_normalization::UnicodeNormalization as _;

use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::outbox::{self, MailKind};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::credential::{Credential, store as credentials};
use crate::identity::membership::store as memberships;
use crate::identity::password::{HashRefusal, MAX_PASSWORD_BYTES};
use crate::identity::password_rules::{self, Weakness};
use crate::identity::throttle::Pace;
use crate::identity::throttle::policy::own_pace;
use crate::identity::throttle::service::{self as throttle, Counted};
use crate::sessions::present::{self, Presence, Present};
use crate::sessions::{EndReason, PresentedSession, SessionSecret, service as sessions};

/// What a change came to.
pub(super) enum Change {
    /// Done: the cookie's new secret.
    Done(SessionSecret),
    /// Not done.
    Refused(Refusal),
    /// The session ended meanwhile.
    SignedOut,
}

/// Why the password stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The current one is not right.
    CurrentMismatch,
    /// The new one breaks a rule.
    Weak(Weakness),
    /// The new one is the current one.
    Unchanged,
    /// Too many wrong current ones.
    Throttled(Duration),
    /// All seats for hashing are taken; nothing was checked.
    Busy,
}

impl Refusal {
    const fn word(self) -> &'static str {
        match self {
            Self::CurrentMismatch => "current_mismatch",
            Self::Weak(Weakness::TooShort) => "too_short",
            Self::Weak(Weakness::TooLong) => "too_long",
            Self::Weak(Weakness::TooCommon) => "too_common",
            Self::Unchanged => "unchanged",
            Self::Throttled(_) => "throttled",
            Self::Busy => "busy",
        }
    }
}

/// Changes the password of the session's account, if all is right. In steps like a sign-in:
/// counted and read, hashed outside, written if nothing changed meanwhile.
pub(super) async fn change(
    app: &App,
    present: &Present,
    presented: &PresentedSession,
    current: &SecretString,
    new: &SecretString,
) -> Result<Change, StoreError> {
    let checked = check(app, present, current, new).await?;
    let (read, phc) = match checked {
        Ok(checked) => checked,
        Err(refusal) => {
            refuse(app, present, refusal).await?;
            return Ok(Change::Refused(refusal));
        }
    };
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    app.db
        .run(authority, async |tx| {
            write(tx, app, presented, &read, &phc).await
        })
        .await
}

/// The credential that was read and the new hash, or why not.
async fn check(
    app: &App,
    present: &Present,
    current: &SecretString,
    new: &SecretString,
) -> Result<Result<(Credential, String), Refusal>, StoreError> {
    if current.expose_secret().len() > 4 * MAX_PASSWORD_BYTES {
        return Ok(Err(Refusal::CurrentMismatch));
    }
    let account = present.proof.account();
    let authority = Authority::<Identity>::account(present.proof.0);
    let pace = pace(app, present);
    let (counted, credential, context) = app
        .db
        .run(authority, async |tx| {
            present::touch(tx, app, present).await?;
            let counted = throttle::count(tx, app, vec![pace]).await?;
            let credential = credentials::find_own(tx, account).await?;
            let mut context: Vec<String> = credential
                .iter()
                .map(|credential| credential.login.clone())
                .collect();
            let clinics = memberships::list_active(tx, account).await?;
            context.extend(clinics.into_iter().map(|membership| membership.clinic.name));
            Ok::<_, StoreError>((counted, credential, context))
        })
        .await?;
    let Some(credential) = credential else {
        return Ok(Err(Refusal::CurrentMismatch));
    };
    if let Counted::Refused { wait, .. } = counted {
        return Ok(Err(Refusal::Throttled(wait)));
    }
    match app.hasher.verify(current, &credential.phc).await {
        Ok(true) => {}
        Ok(false) | Err(HashRefusal::TooLong | HashRefusal::OutOfBounds) => {
            return Ok(Err(Refusal::CurrentMismatch));
        }
        Err(HashRefusal::Busy) => return Ok(Err(Refusal::Busy)),
    }
    if let Err(weakness) = password_rules::check(new.expose_secret(), &context) {
        return Ok(Err(Refusal::Weak(weakness)));
    }
    if new.expose_secret().nfc().eq(current.expose_secret().nfc()) {
        return Ok(Err(Refusal::Unchanged));
    }
    Ok(match app.hasher.hash(new, app.env.random_bytes()).await {
        Ok(phc) => Ok((credential, phc)),
        Err(HashRefusal::TooLong | HashRefusal::OutOfBounds) => {
            Err(Refusal::Weak(Weakness::TooLong))
        }
        Err(HashRefusal::Busy) => Err(Refusal::Busy),
    })
}

/// The counter of guesses that are made with this session.
fn pace(app: &App, present: &Present) -> Pace {
    let id = present.session.id.as_uuid();
    own_pace(
        &app.keys,
        &app.config.throttle,
        "password_change",
        id.as_bytes(),
    )
}

/// Puts a refusal on the record. An attempt that was right, or never judged, was no guess.
async fn refuse(app: &App, present: &Present, refusal: Refusal) -> Result<(), StoreError> {
    let authority = Authority::<Identity>::account(present.proof.0);
    let detail = json!({ "session": present.session.id, "reason": refusal.word() });
    let counted = [pace(app, present)];
    app.db
        .run(authority, async |tx| {
            match refusal {
                Refusal::CurrentMismatch | Refusal::Throttled(_) => {}
                Refusal::Weak(_) | Refusal::Unchanged => throttle::forgive(tx, &counted).await?,
                Refusal::Busy => throttle::take_back(tx, &counted).await?,
            }
            audit::append(tx, &app.env, &app.keys, EventType::PasswordRefused, detail).await
        })
        .await
}

/// In a transaction that claims the session.
async fn write(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedSession,
    read: &Credential,
    phc: &str,
) -> Result<Change, StoreError> {
    let Presence::Here(present) = present::find_own_in(tx, app, presented).await? else {
        return Ok(Change::SignedOut);
    };
    let account = present.proof.account();
    let now = app.env.now();
    // Changed meanwhile: then this session is of an older epoch, and not found above; the same
    // answer for what is left of that race.
    let Some(epoch) = credentials::replace(tx, read, phc, now).await? else {
        return Ok(Change::SignedOut);
    };
    let this = &present.session;
    throttle::forgive(tx, &[pace(app, &present)]).await?;
    let reason = EndReason::PasswordChanged;
    let ended = sessions::end_others(tx, app, account, Some(this.id), reason).await?;
    let secret = sessions::renew(tx, app, this, epoch).await?;
    let detail = json!({ "session": this.id, "sessions_ended": ended });
    audit::append(tx, &app.env, &app.keys, EventType::PasswordChanged, detail).await?;
    outbox::post(tx, &app.env, account, &MailKind::PasswordChanged {}).await?;
    Ok(Change::Done(secret))
}
