//! A session that hears that there is something to be looked for. What it hears carries nothing:
//! whoever is woken asks the database, under an authority, what it is.

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::authority::{Identity, Plane as _};
use super::{Db, StoreError};

/// Hears until it is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    heard: watch::Receiver<()>,
    _session: JoinSet<()>,
}

impl Listening {
    /// Resolves when something was heard since the last time, or may have been missed. False: it
    /// hears nothing any more.
    pub(crate) async fn heard(&mut self) -> bool {
        self.heard.changed().await.is_ok()
    }
}

impl Db {
    /// Opens a session of the identity plane that listens on these channels, beside its pool.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be had: whoever waits has to look by itself now and then.
    pub(crate) async fn listen(
        &self,
        channels: &'static [&'static str],
    ) -> Result<Listening, StoreError> {
        let own = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(self.inner.connect.options(Identity::ROLE));
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen_all(channels.iter().copied()).await?;
        let (tell, heard) = watch::channel(());
        let mut session = JoinSet::new();
        session.spawn(async move {
            // `None`: the connection was lost and is there again.
            while listener.try_recv().await.is_ok() && tell.send(()).is_ok() {}
        });
        Ok(Listening {
            heard,
            _session: session,
        })
    }
}
