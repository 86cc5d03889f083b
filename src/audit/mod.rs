//! Who did what, when, to whom: events appended in the transaction of what they record.
//!
//! Invariants
//! 1. Tenant, subject and actor come from the sealed context, never from an argument.
//! 2. Nothing can change or delete an event; `audit.append` is the only door, and for a rotation
//!    or a code the statement that writes it (`clerk.rotate`, `clerk.give_codes`, `clerk.redeem`).
//! 3. An event of a request names that request ([`Trace`]), without anybody passing it on.
//! 4. Details hold identifiers and reason codes, never PHI, secrets or typed text.

mod event;
pub mod format;
pub mod log;
pub mod siem;
pub mod sinks;
mod store;
mod trace;

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::{Plane, StoreError, Tx};
use crate::env::Env;
use crate::fault::{self, Point};
use crate::secret::Keys;
pub use event::EventType;
pub use trace::Trace;

/// An event ready to be written, with the server's MAC.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) id: Uuid,
    pub(crate) at: OffsetDateTime,
    pub(crate) detail: Value,
    pub(crate) mac: [u8; 32],
}

/// Appends one event to the log of the transaction's tenant, or the platform's before one is known.
///
/// # Errors
/// [`StoreError`]; the caller's change must then not happen either, so pass it on.
pub async fn append<P: Plane>(
    tx: &mut Tx<P>,
    env: &Env,
    keys: &Keys,
    event: EventType,
    detail: Value,
) -> Result<(), StoreError> {
    let of = (Trace::current(), env.now());
    let written = write(env, keys, event, of, detail);
    fault::pass(Point::Changed, event.name());
    tx.trail().note(event.name());
    store::append(tx, event.name(), &written).await
}

/// Appends several at once, in their order; none at all without one.
///
/// # Errors
/// As [`append`].
pub(crate) async fn append_all<P: Plane>(
    tx: &mut Tx<P>,
    env: &Env,
    keys: &Keys,
    events: Vec<(EventType, Value)>,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let of = (Trace::current(), env.now());
    let named = events.into_iter().map(|(event, detail)| {
        let written = write(env, keys, event, of, detail);
        fault::pass(Point::Changed, event.name());
        tx.trail().note(event.name());
        (event.name(), written)
    });
    let named = named.collect();
    store::append_all(tx, named).await
}

/// Where the log's entries have it too; the request's id.
const TRACE: &str = "trace";

/// Writes one event for a statement that records it with its change.
///
/// - `trace`: of the request that it belongs to, which is not the task's where several are answered
///   together
pub(crate) fn write(
    env: &Env,
    keys: &Keys,
    event: EventType,
    (trace, at): (Option<Trace>, OffsetDateTime),
    mut detail: Value,
) -> Written {
    if let (Some(trace), Some(members)) = (trace, detail.as_object_mut()) {
        members.insert(TRACE.to_owned(), trace.as_str().into());
    }
    let id = env.random_uuid();
    let body = detail.to_string();
    let instant = microseconds(at).to_be_bytes();
    let mac = keys.audit_mac(&[
        id.as_bytes(),
        event.name().as_bytes(),
        &instant,
        body.as_bytes(),
    ]);
    Written {
        id,
        at,
        detail,
        mac,
    }
}

fn microseconds(at: OffsetDateTime) -> i128 {
    at.unix_timestamp_nanos() / 1000
}
