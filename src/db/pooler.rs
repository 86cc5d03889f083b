//! Whether a session stays a session. Through a pooler in transaction mode the driver's prepared
//! statements mix up answers without an error, so such a database is refused (design §3).

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use super::connect::Connect;
use super::error::StoreError;

/// Long enough for the connections of all logins over any network and on a busy machine; a pool of
/// one never gives the second.
const PATIENCE: Duration = Duration::from_secs(30);
const ROUNDS: usize = 3;

/// A session of `role`. Two are opened at once, and it is looked whether each keeps its server
/// process and its settings while the other works, within a transaction and without.
///
/// # Errors
/// [`StoreError::TransactionPooler`] if they don't; [`StoreError::Unavailable`] if the two can't
/// be had at once.
pub(super) async fn session(connect: &Connect, role: &str) -> Result<PgConnection, StoreError> {
    let both = async {
        let options = connect.options(role);
        let (mut one, mut two) = tokio::try_join!(
            PgConnection::connect_with(&options),
            PgConnection::connect_with(&options)
        )?;
        let are_sessions = are_sessions(&mut one, &mut two).await;
        // Of sessions that are none, a farewell may fail as well.
        let _ = two.close().await;
        if are_sessions? {
            tell(&mut one, "reset lanyard.probe").await?;
            return Ok(Some(one));
        }
        let _ = one.close().await;
        Ok(None)
    };
    let answered = tokio::time::timeout(PATIENCE, both).await;
    match answered.map_err(|_| sqlx::Error::PoolTimedOut)? {
        Ok(Some(session)) => Ok(session),
        Ok(None) => Err(StoreError::TransactionPooler),
        // Statement mode: not even BEGIN is allowed (PgBouncer says so as a protocol violation).
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("08P01") => {
            Err(StoreError::TransactionPooler)
        }
        Err(error) => Err(error.into()),
    }
}

async fn are_sessions(one: &mut PgConnection, two: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // By the simple protocol throughout: a prepared statement would be the very thing in doubt.
    tell(one, "set lanyard.probe = 'one'").await?;
    tell(two, "set lanyard.probe = 'two'").await?;
    let (first, second) = (identity(one).await?, identity(two).await?);
    let mut are = first.0 != second.0;
    for _ in 0..ROUNDS {
        // While the first holds a transaction, a pooler has to find the second another server.
        tell(one, "begin").await?;
        are &= identity(one).await? == first && identity(two).await? == second;
        tell(one, "commit").await?;
        are &= identity(two).await? == second && identity(one).await? == first;
    }
    Ok(are && first.1 == "one" && second.1 == "two")
}

/// The server process's id, and what the session remembers.
async fn identity(connection: &mut PgConnection) -> Result<(i32, String), sqlx::Error> {
    let question = "select pg_backend_pid(), coalesce(current_setting('lanyard.probe', true), '')";
    let row = connection.fetch_one(sqlx::raw_sql(question)).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

async fn tell(connection: &mut PgConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statement)))
        .await
        .map(drop)
}
