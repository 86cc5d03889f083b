//! How a transaction begins, and what a connection is cleaned of before the next one has it.

use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgConnection, Postgres};

use super::connect::Connect;
use super::context::Mode;
use super::error::StoreError;
use super::keeper::Opening;

type Opened = sqlx::Transaction<'static, Postgres>;

/// A pool that connects on first use and gives no connection on with a session's remains.
pub(super) fn pool(connect: &Connect, role: &str, most: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(most.max(2))
        .acquire_timeout(Duration::from_secs(1))
        .max_lifetime(Duration::from_mins(30))
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(is_clean(connection)))
        .connect_lazy_with(connect.options(role))
}

/// Begins a transaction under `sealed`, whole or not at all: a canceled caller leaves none open.
pub(super) async fn begin(
    pool: PgPool,
    opening: Opening,
    mode: Mode,
    sealed: String,
) -> Result<Opened, StoreError> {
    let begin = match mode {
        Mode::ReadWrite => "begin",
        Mode::ReadOnly => "begin read only",
    };
    // In a task of its own: a canceled `begin` of sqlx 0.9.0 gives a connection with an open
    // transaction back to the pool (transact-rs/sqlx 4393). Remove when 4394 is released.
    let opened = tokio::spawn(async move {
        match opening {
            Opening::Setting => {
                let message = format!("{begin}; {}", set_local(&sealed));
                pool.begin_with(AssertSqlSafe(message)).await
            }
            Opening::Function => {
                let mut tx = pool.begin_with(begin).await?;
                open_by_function(&mut tx, &sealed).await?;
                Ok(tx)
            }
        }
    });
    // The task ends early only with its runtime: then there is nobody left to serve.
    Ok(opened.await.map_err(|_| sqlx::Error::WorkerCrashed)??)
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

/// Ends what a statement could leave in the session for the next tenant's transaction: a cursor
/// WITH HOLD, a listener, settings. Not clean, so closed, is a connection with a transaction
/// still open or with a statement prepared by SQL, which could stand under a name of the driver's.
async fn is_clean(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    use sqlx::{Executor as _, Row as _};
    let row = connection
        .fetch_one(sqlx::raw_sql(
            "close all; unlisten *; reset all; \
             select pg_catalog.now() operator(pg_catalog.=) pg_catalog.statement_timestamp() \
               and not exists (select from pg_catalog.pg_prepared_statements where from_sql)",
        ))
        .await?;
    row.try_get(0)
}
