//! The housekeeping of families: sealed successors that nobody asked for in time.

use super::service;
use crate::app::App;
use crate::db::{Authority, Identity, Job, StoreError};

/// Erases what may no longer be given (design §5 rule 4); says how many. Repeatable, and harmless
/// beside other nodes; once a minute is often enough.
pub async fn erase_successors(app: &App) -> Result<u64, StoreError> {
    let authority = Authority::<Identity>::job(Job::EraseSuccessors);
    app.db
        .run(authority, async |tx| {
            service::erase_successors(tx, app).await
        })
        .await
}
