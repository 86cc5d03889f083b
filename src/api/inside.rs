//! What the verifier asks of an issuer, answered from inside the issuer's own process.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use lanyard_verifier::{
    ActedRequest, ActivityDelivery, ActivityError, ActivityEvent, ActivitySink, Clock, Decision,
    DirectoryUnavailable, JwkSet, KeyFetch, KeySource, Preset, Principal, RecordError, Recorder,
    Recording, TenantDirectory, TenantLookup,
};
use time::OffsetDateTime;

use crate::app::App;
use crate::db::{Authority, Identity};
use crate::http::line;
use crate::http::problem::{Problem, TriedToWrite};
use crate::identity::membership::store as membership;
use crate::ids::{ClientId, TenantId, TenantSessionId};
use crate::impersonation::model::{Acted, Recorded};
use crate::oidc::{acted, activity};

/// Says in the request's log line who calls: behind the verifier, so it is proved.
pub(super) async fn note_caller(request: Request, next: Next) -> Response {
    if let Some(caller) = request.extensions().get::<Arc<Principal>>() {
        line::note(|facts| {
            facts.tenant = Some(TenantId::from_uuid(caller.tenant().as_uuid()));
            facts.actor = Some(caller.subject().as_uuid());
            facts.client = ClientId::parse(caller.client_id());
        });
    }
    next.run(request).await
}

/// Tells who acts as somebody to look, and reached a statement that writes, what the verifier says
/// of methods that do: nothing was written ([`Authority::of`]). Behind the verifier.
pub async fn refuse_what_would_write(request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Arc<Principal>>();
    let support = caller.and_then(|caller| caller.actor()?.support());
    let looks = support.is_some_and(|support| support.preset == Preset::ReadOnly);
    let response = next.run(request).await;
    if looks && response.extensions().get::<TriedToWrite>().is_some() {
        return Problem::Acted.into_response();
    }
    response
}

/// The ring as it is published.
pub(super) struct RingSource(pub(super) App);

impl KeySource for RingSource {
    fn fetch(&self) -> KeyFetch<'_> {
        Box::pin(async {
            let published = self.0.ring().jwks().to_string();
            JwkSet::from_json(published.as_bytes())
        })
    }
}

/// The server's own clock.
pub(super) struct AppClock(pub(super) App);

impl Clock for AppClock {
    fn now(&self) -> OffsetDateTime {
        self.0.env.now()
    }
}

/// Activity goes where `POST /activity` takes it.
pub(super) struct InsideSink(pub(super) App);

impl ActivitySink for InsideSink {
    fn deliver<'a>(&'a self, events: &'a [ActivityEvent]) -> ActivityDelivery<'a> {
        Box::pin(async move {
            for event in events {
                let Ok(sid) = event.sid.parse::<TenantSessionId>() else {
                    continue;
                };
                let tenant = TenantId::from_uuid(event.tid.as_uuid());
                activity::note(&self.0, tenant, sid, event.at)
                    .await
                    .map_err(|error| ActivityError::Lost(error.to_string()))?;
            }
            Ok(())
        })
    }
}

/// As which API ours reports; no client has that name, so nobody else does.
const OWN_NAME: &str = "lanyard-api";

pub(super) fn own_name() -> ClientId {
    ClientId::parse(OWN_NAME).expect("a client's name")
}

/// Requests under `act` go where `POST /activity/acted` takes those of other APIs; under a grant
/// that is over none is let in.
pub(super) struct InsideRecorder(pub(super) App);

impl Recorder for InsideRecorder {
    fn record<'a>(&'a self, request: &'a ActedRequest) -> Recording<'a> {
        Box::pin(async move {
            let lost = |why: &str| RecordError::Lost(why.to_owned());
            let tenant = TenantId::from_uuid(request.tid.as_uuid());
            let sid: TenantSessionId = request.sid.parse().map_err(|_| lost("no sid of ours"))?;
            let acted = Acted {
                audience: super::audience(&self.0),
                method: request.method.clone(),
                route: request.route.clone(),
                status: match request.decision {
                    Decision::Admitted => Acted::NOT_YET_ANSWERED,
                    Decision::Refused { status, .. } => status,
                },
                at: request.at,
                issued_at: request.iat,
            };
            match acted::record_all(&self.0, &own_name(), &[((tenant, sid), acted)]).await {
                Ok(Recorded::Yes) => Ok(()),
                Ok(Recorded::Over | Recorded::Unknown) => Err(RecordError::Over),
                Err(error) => Err(lost(&crate::http::chain(&error))),
            }
        })
    }
}

/// Clinics by slug.
pub(super) struct Directory(pub(super) App);

impl TenantDirectory for Directory {
    fn tenant<'a>(&'a self, name: &'a str) -> TenantLookup<'a> {
        Box::pin(async move {
            let locator = self.0.keys.locator("slug", name);
            let authority = Authority::<Identity>::claim(locator).read_only();
            let found = self
                .0
                .db
                .run(authority, async |tx| {
                    membership::find_clinic(tx, name).await
                })
                .await;
            match found {
                Ok(clinic) => Ok(
                    clinic.map(|c| lanyard_verifier::TenantId::from_uuid(c.tenant_id.as_uuid()))
                ),
                Err(error) => {
                    tracing::error!(detail = %crate::http::chain(&error), "directory");
                    Err(DirectoryUnavailable)
                }
            }
        })
    }
}
