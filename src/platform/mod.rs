//! What stands above all clinics, as the platform's own staff reach it by the API: how verifiers
//! stand, what an emergency ends. Support that acts: [`crate::impersonation`].
//!
//! Not responsible for: what is ended, and how; it orders that of the nouns whose it is.

pub mod routes;

use lanyard_verifier::Verified;
use serde_json::Value;

use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError};
use crate::http::problem::Problem;
use crate::ids::{SubjectId, TenantId};

/// Whether the caller is a member of the platform's own tenant.
pub fn is_of_platform(caller: &Verified) -> bool {
    caller.tenant().as_uuid() == TenantId::PLATFORM.as_uuid()
}

/// The caller as who oversees: of the platform's tenant, and speaking for himself.
///
/// # Errors
/// [`Problem::Forbidden`]: a permission's table alone would not keep a clinic's member out.
pub fn overseer(caller: &Verified) -> Result<SubjectId, Problem> {
    if is_of_platform(caller) && caller.actor().is_none() {
        Ok(SubjectId::from_uuid(caller.subject().as_uuid()))
    } else {
        Err(Problem::Forbidden)
    }
}

/// Writes down who orders what on the platform's own record, in a transaction of its own: an order
/// stands there before anything is done.
async fn record(
    app: &App,
    by: SubjectId,
    event: EventType,
    detail: Value,
) -> Result<(), StoreError> {
    let authority = Authority::<Identity>::caller(TenantId::PLATFORM, by);
    app.db
        .run(authority, async |tx| {
            audit::append(tx, &app.env, &app.keys, event, detail).await
        })
        .await
}
