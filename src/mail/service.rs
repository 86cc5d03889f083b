//! Taking messages, handing them over, and noting it.

use std::path::{Path, PathBuf};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::letter::Letter;
use super::store::{self, Envelope};
use crate::app::App;
use crate::config::MailDelivery;
use crate::db::{Authority, Identity, Job, StoreError};

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
    let age = oldest.map_or(Duration::ZERO, |oldest| app.env.now() - oldest);
    app.metrics.outbox(waiting, age.whole_seconds().max(0));
    Ok(())
}

/// Delivers what waits, one batch at most; says how many.
pub async fn deliver(app: &App) -> Result<usize, MailError> {
    let delivery = app.config.mail.delivery;
    if delivery == MailDelivery::None {
        return Ok(0);
    }
    let now = app.env.now();
    let taken = app
        .db
        .run(Authority::<Identity>::job(Job::DeliverMail), async |tx| {
            store::take(tx, now, now - ABANDONED_AFTER, BATCH).await
        })
        .await?;
    let count = taken.len();
    for envelope in taken {
        if delivery == MailDelivery::Directory {
            write_file(app, &envelope).await?;
        }
        app.db
            .run(Authority::<Identity>::job(Job::DeliverMail), async |tx| {
                store::mark_delivered(tx, &envelope, now).await
            })
            .await?;
    }
    Ok(count)
}

/// One file for one message: written aside and put in place whole, so that trying twice is once.
async fn write_file(app: &App, envelope: &Envelope) -> Result<(), MailError> {
    let mail = &app.config.mail;
    let directory = mail
        .directory
        .clone()
        .unwrap_or_else(|| app.config.state_dir.join("mail"));
    let letter = Letter::write(&envelope.mail()?, app.issuer(), envelope.created_at);
    let (id, at) = (envelope.message_id, envelope.created_at);
    let message = letter.message(id, &mail.from, &envelope.login, at);
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
    let caught = listed.into_iter().map(|envelope| {
        Ok(Caught {
            id: envelope.message_id,
            letter: Letter::write(&envelope.mail()?, app.issuer(), envelope.created_at),
            at: envelope.created_at,
            to: envelope.login,
        })
    });
    caught.collect()
}
