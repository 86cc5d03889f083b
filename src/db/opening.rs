//! How a transaction begins and ends, and what its connection is cleaned of before the next one has
//! it.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};
use tokio::runtime::Handle;

use super::context::Mode;
use super::error::StoreError;
use super::keeper::Opening;
use super::pool::{Held, Pool};

/// With the end of a transaction, in the same message, ends whatever a statement could leave in the
/// session for the next tenant's: a cursor WITH HOLD, a listener, settings. The answer says whether
/// nothing is left.
macro_rules! and_clean {
    ($end:literal) => {
        concat!(
            $end,
            "; close all; unlisten *; reset all; select seal.is_clean()"
        )
    };
}
const COMMIT: &str = and_clean!("commit");
const ROLLBACK: &str = and_clean!("rollback");

/// A connection with a transaction on it. Gives the connection back clean, or closes it.
///
/// Not sqlx's own: that one ends with a message of its own.
#[derive(Debug)]
pub(super) struct Opened {
    /// `None`: it has ended.
    held: Option<Held>,
}

impl Opened {
    /// The connection.
    pub(super) fn conn(&mut self) -> &mut PgConnection {
        self.held.as_mut().expect("it ends only by value").conn()
    }

    /// Commits. If that fails, or the caller does not wait for it, what is left is rolled back.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let is_clean = end(self.conn(), COMMIT).await?;
        if let Some(held) = self.held.take()
            && is_clean
        {
            held.give_back();
        }
        Ok(())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Without a runtime there is nobody left to serve: the connection is closed.
        if let Some(mut held) = self.held.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                if let Ok(true) = end(held.conn(), ROLLBACK).await {
                    held.give_back();
                }
            });
        }
    }
}

/// Ends the transaction, if one is open still; says whether the session is clean. Not clean, so to
/// be closed, is one with a statement that was prepared by SQL: it could stand under a name of the
/// driver's.
async fn end(connection: &mut PgConnection, message: &'static str) -> Result<bool, sqlx::Error> {
    let row = connection.fetch_one(sqlx::raw_sql(message)).await?;
    row.try_get(0)
}

/// Begins a transaction under `sealed`, whole or not at all: a canceled caller leaves none open.
pub(super) async fn begin(
    pool: &Pool,
    opening: Opening,
    mode: Mode,
    sealed: &str,
) -> Result<Opened, StoreError> {
    let begin = match mode {
        Mode::ReadWrite => "begin",
        Mode::ReadOnly => "begin read only",
    };
    let held = Some(pool.acquire().await?);
    let mut opened = Opened { held };
    match opening {
        Opening::Setting => {
            let message = format!("{begin}; {}", set_local(sealed));
            let message = sqlx::raw_sql(AssertSqlSafe(message));
            opened.conn().execute(message).await?;
        }
        Opening::Function => {
            opened.conn().execute(sqlx::raw_sql(begin)).await?;
            open_by_function(opened.conn(), sealed).await?;
        }
    }
    Ok(opened)
}

/// Puts another context in the place of the transaction's present one.
pub(super) async fn replace(
    tx: &mut PgConnection,
    opening: Opening,
    sealed: &str,
) -> Result<(), sqlx::Error> {
    match opening {
        Opening::Setting => sqlx::raw_sql(AssertSqlSafe(set_local(sealed)))
            .execute(tx)
            .await
            .map(drop),
        Opening::Function => open_by_function(tx, sealed).await,
    }
}

/// Only characters of our own making stand in the context: see `SealKey::seal`.
fn set_local(sealed: &str) -> String {
    format!("set local lanyard.context = '{sealed}'")
}

async fn open_by_function(tx: &mut PgConnection, sealed: &str) -> Result<(), sqlx::Error> {
    sqlx::query("select seal.open($1)")
        .bind(sealed)
        .execute(tx)
        .await
        .map(drop)
}
