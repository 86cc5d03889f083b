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
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            // What a proxy before a database that is gone says: nothing, or something else.
            | sqlx::Error::Protocol(_) => Self::Unavailable(error),
            sqlx::Error::Database(refusal) => match refusal.constraint() {
                Some(constraint) if refusal.code().is_some_and(|c| c.starts_with("23")) => {
                    Self::Conflict {
                        constraint: constraint.to_owned(),
                    }
                }
                _ if refusal.code().is_some_and(|code| passes(&code)) => Self::Unavailable(error),
                _ => Self::Query(error),
            },
            _ => Self::Query(error),
        }
    }
}

/// Whether a refusal of the server's is of its present state and not of the statement: another try
/// may go through.
fn passes(sqlstate: &str) -> bool {
    // 08: the connection; 53: out of connections, memory or disk; 57: canceled, shutting down,
    // crashed; 40: deadlock, or a serialization that failed; 55000 and 55P03: not in a state for
    // it, a lock not had in time; 25006: a standby that was just the primary.
    ["08", "53", "57", "40"].contains(&sqlstate.get(..2).unwrap_or_default())
        || ["55000", "55P03", "25006"].contains(&sqlstate)
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

/// An error and its causes, for the log: `Display` of ours never repeats its source.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::passes;

    /// DOS-05, CFG-09: what passes by itself is answered 503, and not as a fault of ours.
    #[test]
    fn what_passes_by_itself_is_unavailability() {
        for passing in [
            "08006", "40001", "40P01", "53300", "55000", "55P03", "57014", "57P01", "57P03",
            "25006",
        ] {
            assert!(passes(passing), "{passing}");
        }
        for lasting in ["42501", "42P01", "22P02", "23505", "25P02", "XX000", ""] {
            assert!(!passes(lasting), "{lasting}");
        }
    }
}
