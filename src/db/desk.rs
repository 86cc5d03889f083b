//! The clerk's desk: functions of the schema `clerk`, each call one statement and one transaction,
//! which open the seal themselves (docs/decisions/0020).
//!
//! Its connections are its own. Nothing else is said on them, so nothing of one clinic's can remain
//! on one for the next, and they are not cleaned between two calls.

use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use super::connect::Connect;
use super::error::StoreError;
use super::{Authority, Db, Identity, Plane as _};

/// As long as a pool's connection is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a session keeps grows with time: after so many calls it is another one.
const MOST_CALLS: u32 = 100_000;

/// The text that vouches for one authority, as a function's argument.
#[derive(Clone)]
pub(crate) struct SealedContext(String);

impl fmt::Debug for SealedContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedContext(***)")
    }
}

impl SealedContext {
    /// For a `store.rs` to bind.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A connection for calls of the clerk's functions, one after the other.
#[derive(Debug)]
pub(crate) struct Desk {
    connection: PgConnection,
    calls: u32,
}

impl Desk {
    /// The connection, for `store.rs` files.
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// The desks that wait for their next call. Who calls bounds how many there are at a time.
///
/// No pool: sqlx's asks Postgres at each return whether it is still there, a third and a fourth
/// round trip for what takes two. A connection that has failed is not kept.
#[derive(Debug)]
pub(super) struct Desks {
    options: PgConnectOptions,
    resting: Mutex<Vec<Desk>>,
}

impl Desks {
    pub(super) fn new(connect: &Connect) -> Self {
        Self {
            options: connect.options(Identity::ROLE),
            resting: Mutex::default(),
        }
    }

    pub(super) async fn close(&self) {
        let resting = std::mem::take(&mut *self.resting());
        for desk in resting {
            // If the database is gone, so is the session.
            let _ = desk.connection.close().await;
        }
    }

    fn resting(&self) -> MutexGuard<'_, Vec<Desk>> {
        self.resting
            .lock()
            .expect("no panic happens under this lock")
    }
}

impl Db {
    /// A desk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database can't be reached.
    pub(crate) async fn desk(&self) -> Result<Desk, StoreError> {
        let desks = &self.inner.desks;
        let resting = desks.resting().pop();
        if let Some(desk) = resting {
            return Ok(desk);
        }
        let connect = PgConnection::connect_with(&desks.options);
        let connection = tokio::time::timeout(PATIENCE, connect).await;
        let connection = connection.map_err(|_| sqlx::Error::PoolTimedOut)??;
        Ok(Desk {
            connection,
            calls: 0,
        })
    }

    /// Keeps a desk whose call went well for the next one.
    pub(crate) fn rest(&self, mut desk: Desk) {
        desk.calls += 1;
        if desk.calls < MOST_CALLS {
            self.inner.desks.resting().push(desk);
        }
    }

    /// Seals what one call, or one part of it, is for.
    pub(crate) fn sealed(&self, authority: &Authority<Identity>) -> SealedContext {
        SealedContext(self.seal().seal(&authority.context))
    }
}
