//! Taking messages, handing them over, and noting it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::letter::Letter;
use super::policy;
use super::relay::{Relay, RelayError};
use super::store::{self, Envelope};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::config::MailDelivery;
use crate::db::outbox::{self, MailKind};
use crate::db::{Authority, Identity, Job, StoreError};
use crate::fault::{self, Point};

/// So many at a time.
const BATCH: i64 = 20;
/// A message in somebody's hand for so long is nobody's.
const ABANDONED_AFTER: Duration = Duration::minutes(5);

/// Mail stays in the outbox; nothing is lost.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The database failed.
    #[error("the outbox can't be reached")]
    Store(#[from] StoreError),
    /// The operator's: the directory can't be written.
    #[error("mail can't be written to {directory}")]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The relay did not take it.
    #[error("a message was not sent; it is tried again")]
    Relay(#[from] RelayError),
}

impl MailError {
    /// Whether it keeps other letters too: the way out is shut, not this one letter refused.
    const fn is_of_the_way(&self) -> bool {
        match self {
            Self::Store(_) => false,
            Self::Directory { .. } => true,
            Self::Relay(error) => error.is_of_the_way(),
        }
    }
}

/// Delivers what waits, batch after batch.
pub async fn deliver_all(app: &App) -> Result<(), MailError> {
    // More may wait after a whole batch.
    while i64::try_from(deliver(app).await?) == Ok(BATCH) {}
    Ok(())
}

/// Counts what waits and how long, for operators.
pub async fn measure(app: &App) -> Result<(), StoreError> {
    let authority = Authority::<Identity>::job(Job::DeliverMail).read_only();
    let (waiting, oldest) = app
        .db
        .run(authority, async |tx| store::waiting(tx).await)
        .await?;
    app.post.counted(waiting, oldest);
    Ok(())
}

/// Delivers what waits, one batch at most; says how many. One message that fails keeps none of
/// the others; the first failure is told when all were tried.
pub async fn deliver(app: &App) -> Result<usize, MailError> {
    if app.config.mail.delivery == MailDelivery::None {
        return Ok(0);
    }
    let now = app.env.now();
    let taken = app
        .db
        .run(Authority::<Identity>::job(Job::DeliverMail), async |tx| {
            store::take(tx, now, now - ABANDONED_AFTER, BATCH).await
        })
        .await?;
    if taken.is_empty() {
        return Ok(0);
    }
    fault::pass(Point::MailTaken, "");
    let relay = relay_of(app).await;
    let (mut delivered, mut failed, mut is_shut) = (0, None, false);
    for envelope in taken {
        match hand_over(app, relay.as_ref(), &envelope).await {
            Ok(true) => delivered += 1,
            Ok(false) => give_up(app, &envelope, now).await?,
            Err(error) => {
                try_later(app, &envelope, now).await?;
                is_shut |= error.is_of_the_way();
                failed = failed.or(Some(error));
            }
        }
    }
    if delivered > 0 || is_shut {
        app.post.tried(delivered > 0);
    }
    failed.map_or(Ok(delivered), Err)
}

/// The relay, where mail goes to one.
async fn relay_of(app: &App) -> Option<Result<Relay, RelayError>> {
    let mail = &app.config.mail;
    match mail.delivery {
        MailDelivery::Smtp => {
            let own_name = app.config.issuer.url().host_str().unwrap_or("localhost");
            Some(Relay::new(mail, own_name).await)
        }
        MailDelivery::None | MailDelivery::Catcher | MailDelivery::Directory => None,
    }
}

/// Hands one message over and notes it; false if it is not worth sending any more.
async fn hand_over(
    app: &App,
    relay: Option<&Result<Relay, RelayError>>,
    envelope: &Envelope,
) -> Result<bool, MailError> {
    let mail = envelope.mail()?;
    let now = app.env.now();
    if policy::ends_at(&mail, envelope.created_at) <= now {
        return Ok(false);
    }
    let Some(letter) = write(app, envelope, &mail) else {
        return Ok(false);
    };
    let (id, at) = (envelope.message_id, envelope.created_at);
    let from = &app.config.mail.from;
    match (app.config.mail.delivery, relay) {
        (MailDelivery::Directory, _) => {
            let message = letter.message(id, from, &envelope.login, at);
            write_file(app, id, message).await?;
        }
        (MailDelivery::Smtp, Some(relay)) => {
            let relay = relay.as_ref().map_err(|error| *error)?;
            let message = letter.message(id, from, &envelope.login, at);
            relay.send(&envelope.login, &message).await?;
        }
        (MailDelivery::Smtp | MailDelivery::None | MailDelivery::Catcher, _) => {}
    }
    fault::pass(Point::MailSent, "");
    let is_shown = app.config.mail.delivery == MailDelivery::Catcher;
    app.db
        .run(Authority::<Identity>::job(Job::DeliverMail), async |tx| {
            store::mark_delivered(tx, envelope, is_shown, now).await
        })
        .await?;
    fault::pass(Point::MailMarked, "");
    Ok(true)
}

/// The letter; `None` if its link can't be opened: it was under another master key.
fn write(app: &App, envelope: &Envelope, mail: &MailKind) -> Option<Letter> {
    let (issuer, at) = (app.issuer(), envelope.created_at);
    let MailKind::PasswordRecovery {
        sealed: Some(sealed),
        ..
    } = mail
    else {
        return Some(Letter::write(mail, issuer, at));
    };
    let sealed = STANDARD.decode(sealed).ok()?;
    let place = outbox::sealed_place(envelope.message_id);
    let text = app.keys.unwrap(&place, &sealed)?;
    let text = std::str::from_utf8(&text).ok()?;
    Some(Letter::recovery(issuer, Some(text), at))
}

async fn try_later(app: &App, envelope: &Envelope, now: OffsetDateTime) -> Result<(), MailError> {
    let mail = envelope.mail()?;
    let due_at = policy::next_try(&mail, envelope.attempts, envelope.created_at, now);
    let Some(due_at) = due_at else {
        return give_up(app, envelope, now).await;
    };
    app.db
        .run(Authority::<Identity>::job(Job::DeliverMail), async |tx| {
            store::mark_failed(tx, envelope, due_at).await
        })
        .await?;
    Ok(())
}

async fn give_up(app: &App, envelope: &Envelope, now: OffsetDateTime) -> Result<(), MailError> {
    let kind = envelope.mail()?.name();
    let attempts = envelope.attempts;
    let detail = json!({ "message": envelope.message_id, "kind": kind, "attempts": attempts });
    app.db
        .run(Authority::<Identity>::job(Job::DeliverMail), async |tx| {
            store::mark_given_up(tx, envelope, now).await?;
            audit::append(tx, &app.env, &app.keys, EventType::MailGivenUp, detail).await
        })
        .await?;
    Ok(())
}

/// One file for one message: written aside and put in place whole, so that trying twice is once.
async fn write_file(app: &App, id: Uuid, message: String) -> Result<(), MailError> {
    let own = app.config.mail.directory.clone();
    let directory = own.unwrap_or_else(|| app.config.state_dir.join("mail"));
    put(&directory, id, message)
        .await
        .map_err(|source| MailError::Directory { directory, source })
}

async fn put(directory: &Path, id: Uuid, message: String) -> std::io::Result<()> {
    tokio::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .await?;
    let aside = directory.join(format!(".{id}.part"));
    tokio::fs::write(&aside, message).await?;
    tokio::fs::rename(&aside, directory.join(format!("{id}.eml"))).await
}

/// A message as the demo's catcher shows it.
#[derive(Clone, Debug)]
pub struct Caught {
    /// For its address.
    pub id: Uuid,
    /// Whom it was for.
    pub to: String,
    /// What it says.
    pub letter: Letter,
    /// When what it tells of happened.
    pub at: OffsetDateTime,
}

/// What was delivered, the newest first; nothing unless mail goes to the catcher.
pub async fn caught(app: &App, most: u32) -> Result<Vec<Caught>, StoreError> {
    if app.config.mail.delivery != MailDelivery::Catcher {
        return Ok(Vec::new());
    }
    let authority = Authority::<Identity>::job(Job::DeliverMail).read_only();
    let listed = app
        .db
        .run(authority, async |tx| {
            store::list_delivered(tx, most.into()).await
        })
        .await?;
    let mut caught = Vec::new();
    for envelope in listed {
        let mail = envelope.mail()?;
        let (issuer, at) = (app.issuer(), envelope.created_at);
        let letter = write(app, &envelope, &mail);
        caught.push(Caught {
            id: envelope.message_id,
            letter: letter.unwrap_or_else(|| Letter::write(&mail, issuer, at)),
            at,
            to: envelope.login,
        });
    }
    Ok(caught)
}
