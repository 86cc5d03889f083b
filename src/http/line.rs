//! The one log line of a request: what its handlers learn of it on the way.

use std::cell::RefCell;

use crate::ids::{ClientId, TenantId};

/// What the line says beside route, status and time. Identifiers and constant words alone.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The clinic whose rows it concerned.
    pub tenant: Option<TenantId>,
    /// Who acted: an account on the issuer's pages, a subject at the API.
    pub actor: Option<uuid::Uuid>,
    /// The client that spoke or that was spoken for.
    pub client: Option<ClientId>,
    /// The public code of a refusal.
    pub error_code: Option<&'static str>,
}

tokio::task_local! {
    static FACTS: RefCell<Facts>;
}

/// Says something of the request that this task answers; nothing outside of one.
pub fn note(say: impl FnOnce(&mut Facts)) {
    // No request: a test or a job called the same code.
    let _ = FACTS.try_with(|facts| say(&mut facts.borrow_mut()));
}

/// Runs `work` as one request; gives what was noted with its outcome.
pub(super) async fn gathering<T>(work: impl Future<Output = T>) -> (T, Facts) {
    let inside = async {
        let outcome = work.await;
        (outcome, FACTS.with(RefCell::take))
    };
    FACTS.scope(RefCell::default(), inside).await
}
