//! `GET /verifiers`.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use crate::apps::RelyingParty;
use crate::apps::routes::browser::Browser;
use crate::apps::routes::surroundings::{Opened, open};
use crate::apps::sites::Site;
use crate::apps::staff::{Verifier, Verifiers};
use crate::http::layers::RequestId;
use crate::http::page;
use crate::pages::{FleetPage, VerifierRow};

/// The handler.
pub(super) async fn list(
    State(rp): State<RelyingParty>,
    site: Site,
    browser: Browser,
    id: RequestId,
    headers: HeaderMap,
) -> Response {
    let (around, token) = match open(&rp, &site, &browser, &id, &headers).await {
        Opened::Here(around, token) => (around, token),
        Opened::Answered(answer) => return answer,
    };
    let (given, refusal) = match rp.api().get::<Verifiers>("verifiers", &token, false).await {
        Ok(given) => (given, None),
        Err(refused) => (Verifiers::default(), Some(refused.shown())),
    };
    let shown = FleetPage {
        around: *around,
        now: rp.app().env.now(),
        verifiers: given.verifiers.into_iter().map(row).collect(),
        refusal,
    };
    page::page_leading_to(StatusCode::OK, &shown, Some(rp.app().issuer()))
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
