//! Ending what one client got of one member, or all that hangs on sessions.

use time::OffsetDateTime;

use super::model::{EndReason, Ended};
use super::store::{self, EndedFamily};
use crate::app::App;
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{ClientId, SessionId, SubjectId};

/// Ends all families that a client has of a member in these sessions; says which. Families of
/// sessions that are over end with those.
pub(crate) async fn end_all_of_client(
    tx: &mut Tx<Identity>,
    app: &App,
    subject: SubjectId,
    client: &ClientId,
    sessions: &[SessionId],
) -> Result<Vec<EndedFamily>, StoreError> {
    let tenant = tx.tenant()?;
    let ended = Ended {
        ended_at: app.env.now(),
        reason: EndReason::Revoked,
    };
    store::mark_client_ended(tx, tenant, (subject, client), sessions, ended).await
}

/// Ends all families of these sessions in the transaction's tenant; says how many.
pub(crate) async fn end_all_of_sessions(
    tx: &mut Tx<Identity>,
    sessions: &[SessionId],
    reason: EndReason,
    ended_at: OffsetDateTime,
) -> Result<u64, StoreError> {
    let tenant = tx.tenant()?;
    store::mark_sessions_ended(tx, tenant, sessions, Ended { ended_at, reason }).await
}
