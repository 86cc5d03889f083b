//! Asking for a link, looking at one, and setting a password with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::model::{Bound, LIFETIME, RecoveryLink};
use super::{policy, store};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::outbox::{self, MailKind};
use crate::db::{Authority, Identity, Proved, StoreError, Tx};
use crate::identity::credential::{self, Credential, store as credentials};
use crate::identity::membership::store as memberships;
use crate::identity::password::HashRefusal;
use crate::identity::password_rules::{self, Weakness};
use crate::identity::throttle::service::{self as throttle, Counted};
use crate::identity::{Login, administration};
use crate::ids::AccountId;
use crate::sessions::{EndReason, service as sessions};

/// Sends a link to whom the address belongs, if it belongs to anybody and not too many were asked
/// for. Whoever asked learns nothing of either: one path, the same statements, one answer.
pub(super) async fn request(app: &App, login: &Login, network: &str) -> Result<(), StoreError> {
    let locator = administration::locator(&app.keys, login);
    let network = app.keys.digest("network", network.as_bytes(), &[]);
    let paces = policy::paces(&app.keys, locator, &network);
    let link = RecoveryLink::random(&app.env);
    app.db
        .run(Authority::<Identity>::claim(locator), async |tx| {
            let counted = throttle::count(tx, app, paces).await?;
            let credential = credentials::find_claimed(tx, locator).await?;
            let mut detail = credential::named(&app.keys, login, credential.as_ref());
            let event = match counted {
                Counted::Refused { pace, .. } => {
                    detail["counter"] = json!(pace);
                    EventType::RecoveryRefused
                }
                Counted::Admitted(_) => {
                    send(tx, app, locator, &link, credential.as_ref()).await?;
                    EventType::RecoveryRequested
                }
            };
            audit::append(tx, &app.env, &app.keys, event, detail).await
        })
        .await
}

async fn send(
    tx: &mut Tx<Identity>,
    app: &App,
    login_locator: Uuid,
    link: &RecoveryLink,
    credential: Option<&Credential>,
) -> Result<(), StoreError> {
    let now = app.env.now();
    // Whole seconds: the digest covers the end as it can be read back.
    let expires_at = (now + LIFETIME)
        .replace_nanosecond(0)
        .expect("zero is a nanosecond");
    let nobody = AccountId::from_uuid(Uuid::nil());
    let bound = Bound {
        account: credential.map_or(nobody, |credential| credential.account_id),
        expires_at,
        password_epoch: credential.map_or(0, |credential| credential.password_epoch),
        login_locator,
    };
    let digest = link.digest(&app.keys, &bound);
    store::put(tx, link.id, &bound, &digest, now).await?;
    let message = app.env.random_uuid();
    let text = link.text();
    let place = outbox::sealed_place(message);
    let sealed = app
        .keys
        .wrap(&app.env, &place, text.expose_secret().as_bytes());
    let mail = MailKind::PasswordRecovery {
        sealed: Some(STANDARD.encode(sealed)),
        expires_at: expires_at.unix_timestamp(),
    };
    outbox::post_to_login(tx, &app.env, message, login_locator, &mail).await
}

/// Whose password a link is for: her login. `None`: it is good for nothing any more.
pub(super) async fn look(app: &App, link: &RecoveryLink) -> Result<Option<String>, StoreError> {
    let authority = Authority::<Identity>::claim(link.id).read_only();
    let proved = app
        .db
        .run(authority, async |tx| prove(tx, app, link).await)
        .await?;
    Ok(proved.map(|credential| credential.login))
}

/// What setting a password came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completed {
    /// It is set, and every session is over.
    Done,
    /// The link is good for nothing any more.
    Dead,
    /// The new password breaks a rule; the link is as it was.
    Weak(Weakness),
    /// All seats for hashing are taken; the link is as it was.
    Busy,
}

/// Sets a new password in exchange for the link: judged and hashed outside any transaction, then
/// spent and written in one.
pub(super) async fn complete(
    app: &App,
    link: &RecoveryLink,
    new: &SecretString,
) -> Result<Completed, StoreError> {
    let reading = Authority::<Identity>::claim(link.id).read_only();
    let read = app
        .db
        .run(reading, async |tx| {
            let Some(credential) = prove(tx, app, link).await? else {
                return Ok::<_, StoreError>(None);
            };
            let clinics = memberships::list_active(tx, credential.account_id).await?;
            let mut context = vec![credential.login.clone()];
            context.extend(clinics.into_iter().map(|membership| membership.clinic.name));
            Ok(Some((credential, context)))
        })
        .await?;
    let Some((read, context)) = read else {
        record_dead(app, link).await?;
        return Ok(Completed::Dead);
    };
    if let Err(weakness) = password_rules::check(new.expose_secret(), &context) {
        return Ok(Completed::Weak(weakness));
    }
    let phc = match app.hasher.hash(new, app.env.random_bytes()).await {
        Ok(phc) => phc,
        Err(HashRefusal::TooLong | HashRefusal::OutOfBounds) => {
            return Ok(Completed::Weak(Weakness::TooLong));
        }
        Err(HashRefusal::Busy) => return Ok(Completed::Busy),
    };
    let authority = Authority::<Identity>::claim(link.id);
    let is_done = app
        .db
        .run(authority, async |tx| {
            write(tx, app, link, &read, &phc).await
        })
        .await?;
    if is_done {
        Ok(Completed::Done)
    } else {
        record_dead(app, link).await?;
        Ok(Completed::Dead)
    }
}

/// The credential that a link opens, in a transaction that claims the link's id and goes on as the
/// account.
async fn prove(
    tx: &mut Tx<Identity>,
    app: &App,
    link: &RecoveryLink,
) -> Result<Option<Credential>, StoreError> {
    let Some(row) = store::find_claimed(tx, link.id, app.env.now()).await? else {
        return Ok(None);
    };
    let bound = row.bound();
    if !link.digest(&app.keys, &bound).matches(&row.secret_digest) {
        return Ok(None);
    }
    tx.proceed(Authority::account(Proved::by_check(bound.account)))
        .await?;
    let credential = credentials::find_own(tx, bound.account).await?;
    Ok(credential.filter(|credential| {
        let login = Login::parse(&credential.login);
        let locator = login.map(|login| administration::locator(&app.keys, &login));
        credential.is_active
            && credential.password_epoch == bound.password_epoch
            && locator == Some(bound.login_locator)
    }))
}

/// Spends the link and sets the password; false if either changed meanwhile.
async fn write(
    tx: &mut Tx<Identity>,
    app: &App,
    link: &RecoveryLink,
    read: &Credential,
    phc: &str,
) -> Result<bool, StoreError> {
    let now = app.env.now();
    if prove(tx, app, link).await?.as_ref() != Some(read) {
        return Ok(false);
    }
    let account = read.account_id;
    if !store::spend(tx, account, link.id, now).await?
        || credentials::replace(tx, read, phc, now).await?.is_none()
    {
        return Ok(false);
    }
    let reason = EndReason::PasswordChanged;
    let ended = sessions::end_others(tx, app, account, None, reason).await?;
    let detail = json!({ "sessions_ended": ended });
    audit::append(
        tx,
        &app.env,
        &app.keys,
        EventType::RecoveryCompleted,
        detail,
    )
    .await?;
    outbox::post(tx, &app.env, account, &MailKind::PasswordChanged {}).await?;
    Ok(true)
}

async fn record_dead(app: &App, link: &RecoveryLink) -> Result<(), StoreError> {
    let authority = Authority::<Identity>::claim(link.id);
    let detail = json!({ "reason": "dead_link" });
    app.db
        .run(authority, async |tx| {
            audit::append(tx, &app.env, &app.keys, EventType::RecoveryRefused, detail).await
        })
        .await
}
