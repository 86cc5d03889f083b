//! What a database must be before it is served from (attacks.md RLS-01, RLS-02, RLS-17, RLS-28).
//!
//! `serve` asks at start and refuses on any [`Severity::Refusal`]; `doctor` prints all of it.
//! Facts are gathered in `store`, judged in `policy`, which is pure.

mod model;
mod policy;
mod reviewed;
mod store;

pub use model::{Finding, Severity, Standing};

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::connect::Connect;
use super::error::StoreError;
use super::{Db, pooler};

/// Looks at the database as the serving roles find it. Needs no [`Db`]: `doctor` asks it of a
/// database from which nothing can be served yet.
///
/// # Errors
/// [`StoreError::Unavailable`] if a role can't log in.
pub async fn inspect(connect: &Connect) -> Result<Standing, StoreError> {
    // All at once: what a start takes longest for is logging in.
    let mut asked = JoinSet::new();
    for role in super::migrate::LOGINS {
        let connect = connect.clone();
        asked.spawn(async move { (role, pooler::session(&connect, role).await) });
    }
    let mut sessions = BTreeMap::new();
    for (role, session) in asked.join_all().await {
        match session {
            // Nothing else that is asked through it could be believed.
            Err(StoreError::TransactionPooler) => {
                return Ok(Standing::of(vec![policy::transaction_pooler()]));
            }
            other => sessions.insert(role, other?),
        };
    }
    let facts = store::gather(sessions).await?;
    Ok(Standing::of(policy::judge(&facts)))
}

impl Db {
    /// [`inspect`] for the database of these pools.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if a role can't log in.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        inspect(&self.inner.connect).await
    }
}
