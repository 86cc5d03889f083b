//! Ending what one client got of one member.

use super::model::{EndReason, Ended};
use super::store;
use crate::app::App;
use crate::db::{Identity, StoreError, Tx};
use crate::ids::{ClientId, SessionId, SubjectId};

/// Ends all families that a client has of a member in these sessions; says how many. Families of
/// sessions that are over end with those.
pub(crate) async fn end_all_of_client(
    tx: &mut Tx<Identity>,
    app: &App,
    subject: SubjectId,
    client: &ClientId,
    sessions: &[SessionId],
) -> Result<u64, StoreError> {
    let tenant = tx.tenant()?;
    let ended = Ended {
        ended_at: app.env.now(),
        reason: EndReason::Revoked,
    };
    store::mark_client_ended(tx, tenant, (subject, client), sessions, ended).await
}
