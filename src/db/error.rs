//! What can go wrong between us and Postgres. Knows nothing of HTTP.

use thiserror::Error;

/// The database failed us, or we it. The transaction was rolled back.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The operator's: no connection within the bound, or the server went away. Retrying may help.
    #[error("the database can't be reached")]
    Unavailable(#[source] sqlx::Error),
    /// The operator's: a pooler gives one session's connection to another between transactions.
    #[error(
        "the database is behind a pooler in transaction mode: connect directly or use session mode"
    )]
    TransactionPooler,
    /// The caller's: a named constraint refused the write.
    #[error("constraint {constraint} refused the write")]
    Conflict {
        /// The constraint's name, as in the migrations.
        constraint: String,
    },
    /// Ours: a stored row says what can't be.
    #[error("{table} holds what can't be: {what}")]
    Corrupt {
        /// Schema-qualified table.
        table: &'static str,
        /// What is wrong, without values.
        what: &'static str,
    },
    /// Ours: the statement failed otherwise, for example for want of a right or a sealed context.
    #[error("a statement failed")]
    Query(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
                Self::Unavailable(error)
            }
            sqlx::Error::Database(refusal) => match refusal.constraint() {
                Some(constraint) if refusal.code().is_some_and(|c| c.starts_with("23")) => {
                    Self::Conflict {
                        constraint: constraint.to_owned(),
                    }
                }
                // Class 57: shutting down, crashed, canceled; class 53: out of connections or disk.
                _ if refusal.code().is_some_and(|c| {
                    c.starts_with("57P") || c.starts_with("53") || c.starts_with("08")
                }) =>
                {
                    Self::Unavailable(error)
                }
                _ => Self::Query(error),
            },
            _ => Self::Query(error),
        }
    }
}

impl StoreError {
    /// The SQLSTATE, if the server gave one.
    pub fn sqlstate(&self) -> Option<String> {
        match self {
            Self::Unavailable(error) | Self::Query(error) => error
                .as_database_error()?
                .code()
                .map(std::borrow::Cow::into_owned),
            Self::TransactionPooler | Self::Conflict { .. } | Self::Corrupt { .. } => None,
        }
    }
}
