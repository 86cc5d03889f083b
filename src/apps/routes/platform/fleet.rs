//! `GET /verifiers`.

use crate::apps::api::told_or_refused;
use crate::apps::routes::door::{Answer, Door};
use crate::apps::staff::{Verifier, Verifiers};
use crate::pages::{FleetPage, VerifierRow};

/// The handler.
pub(super) async fn list(door: Door) -> Answer {
    let inside = door.enter().await?;
    let api = door.rp.api();
    let given = api.get::<Verifiers>("verifiers", inside.token(), false);
    let (given, refusal) = told_or_refused(given.await);
    Ok(door.show(&FleetPage {
        around: inside.around,
        now: door.rp.app().env.now(),
        verifiers: given.verifiers.into_iter().map(row).collect(),
        refusal,
    }))
}

/// Whether it may be letting in what is over.
pub(super) fn is_stale(verifier: &Verifier) -> bool {
    verifier.standing != "current"
}

fn row(verifier: Verifier) -> VerifierRow {
    VerifierRow {
        is_stale: is_stale(&verifier),
        standing: match verifier.standing.as_str() {
            "current" => "Keeps up",
            "behind" => "Behind",
            _ => "Silent",
        },
        client: verifier.client_id,
        instance: verifier.instance,
        version: verifier.version,
        keys_age_seconds: verifier.keys_age_seconds,
        lag_milliseconds: verifier.lag_milliseconds,
        position: verifier.position,
        reported_at: verifier.reported_at,
    }
}
