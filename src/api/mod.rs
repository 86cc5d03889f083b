//! `/api/v1`: the domain modules behind the verifier, as any other API would stand.
//!
//! Every route names one permission key; [`ROUTES`] is the list, and a route that is not on it is
//! neither mounted nor described. The same routes stand under `/api/v1/clinics/{clinic}`, where a
//! token of another clinic is refused (JWT-16).

mod inside;
pub mod openapi;

use std::collections::HashMap;
use std::time::Duration;

use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, get, on};
use axum::{Router, middleware};
use http::Method;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use lanyard_verifier::{Guard, Permissions, Verifier};
use tokio::sync::watch;

use self::openapi::{Body, Words};
use crate::app::App;
use crate::db::{Authority, Identity, Job, StoreError};
use crate::emergency::routes as emergency;
use crate::http::problem::Problem;
use crate::identity::membership::store as membership;
use crate::impersonation::routes as impersonation;
use crate::inspection::accesses::routes as accesses;
use crate::inspection::review::routes as reviews;
use crate::inspection::routes as inspection;
use crate::inspection::standing;
use crate::oidc::authorize::request::ACR_MFA;
use crate::oidc::scope::Scope;
use crate::tenancy::announcement::routes as announcement;
use crate::tenancy::members::routes as members;
use crate::visits::routes as visits;

/// One operation of the API.
#[derive(Debug)]
pub struct Route {
    /// How it is asked.
    pub method: Method,
    /// Below `/api/v1`.
    pub path: &'static str,
    /// What the app must have been granted.
    pub scope: Scope,
    /// What one of the person's roles must carry.
    pub permission: &'static str,
    /// Within what time she must have proved a second factor, if she must (RFC 9470).
    pub step_up: Option<Duration>,
    handler: fn(MethodFilter) -> MethodRouter<App>,
    words: Words,
}

/// The list.
pub static ROUTES: [Route; 23] = [
    Route {
        method: Method::POST,
        path: "/announcement",
        scope: Scope::TenancyWrite,
        permission: "tenancy.announcement.write",
        step_up: Some(Duration::from_mins(5)),
        handler: |method| on(method, announcement::write),
        words: Words {
            id: "announce",
            summary: "Tells the clinic's people something, on the first page of their apps",
            parameters: Vec::new,
            takes: Some(Body::of::<announcement::Wanted>()),
            answer: Body::of::<announcement::AnnouncementBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/me",
        scope: Scope::ProfileRead,
        permission: "tenancy.profile.read",
        step_up: None,
        handler: |method| on(method, members::me),
        words: Words {
            id: "readMe",
            summary: "The caller and her clinic",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<members::MeBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/clinic",
        scope: Scope::TenancyRead,
        permission: "tenancy.clinic.read",
        step_up: None,
        handler: |method| on(method, members::clinic),
        words: Words {
            id: "readClinic",
            summary: "The token's clinic",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<members::ClinicBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/members",
        scope: Scope::TenancyRead,
        permission: "tenancy.member.read",
        step_up: None,
        handler: |method| on(method, members::members),
        words: Words {
            id: "listMembers",
            summary: "Who belongs to the clinic, by name; the reading is on the record",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<members::MembersBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/visits",
        scope: Scope::VisitsRead,
        permission: "visits.visit.read",
        step_up: None,
        handler: |method| on(method, visits::list),
        words: Words {
            id: "listVisits",
            summary: "The visits that one of the caller's roles shows; reading them is recorded",
            parameters: visits::parameters,
            takes: None,
            answer: Body::of::<visits::VisitsBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/audit/events",
        scope: Scope::AuditRead,
        permission: "audit.log.read",
        step_up: None,
        handler: |method| on(method, inspection::events),
        words: Words {
            id: "listEvents",
            summary: "What happened at the clinic, the latest first; the reading is on the record",
            parameters: inspection::events_parameters,
            takes: None,
            answer: Body::of::<inspection::EventsBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/audit/accesses",
        scope: Scope::ProfileRead,
        permission: "audit.access.read",
        step_up: None,
        handler: |method| on(method, accesses::list),
        words: Words {
            id: "listAccesses",
            summary: "Who saw the caller's record at the clinic, the latest first",
            parameters: accesses::parameters,
            takes: None,
            answer: Body::of::<accesses::AccessesBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/audit/reviews",
        scope: Scope::AuditRead,
        permission: "audit.review.read",
        step_up: None,
        handler: |method| on(method, reviews::list),
        words: Words {
            id: "listReviews",
            summary: "What of the clinic's log waits to be looked at, the oldest first",
            parameters: reviews::list_parameters,
            takes: None,
            answer: Body::of::<reviews::ReviewsBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/audit/reviews/{index}",
        scope: Scope::AuditWrite,
        permission: "audit.review.sign",
        step_up: None,
        handler: |method| on(method, reviews::sign),
        words: Words {
            id: "signReview",
            summary: "Signs one off, once; nobody signs what is about herself",
            parameters: reviews::sign_parameters,
            takes: Some(Body::of::<reviews::SignatureWanted>()),
            answer: Body::of::<reviews::SignatureBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/audit/standing",
        scope: Scope::AuditRead,
        permission: "audit.log.read",
        step_up: None,
        handler: |method| on(method, standing::standing),
        words: Words {
            id: "readLogStanding",
            summary: "How much the clinic's log holds, and how well it is kept",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<standing::StandingBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/audit/checkpoint",
        scope: Scope::AuditRead,
        permission: "audit.log.read",
        step_up: None,
        handler: |method| on(method, inspection::checkpoint),
        words: Words {
            id: "readCheckpoint",
            summary: "What was last signed of the clinic's log",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<inspection::CheckpointBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/audit/proof",
        scope: Scope::AuditRead,
        permission: "audit.log.read",
        step_up: None,
        handler: |method| on(method, inspection::proof),
        words: Words {
            id: "proveEntry",
            summary: "That an entry is in the log of a checkpoint's size",
            parameters: inspection::proof_parameters,
            takes: None,
            answer: Body::of::<inspection::ProofBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/audit/consistency",
        scope: Scope::AuditRead,
        permission: "audit.log.read",
        step_up: None,
        handler: |method| on(method, inspection::consistency),
        words: Words {
            id: "proveGrowth",
            summary: "That the log of the later checkpoint is the earlier one's and more",
            parameters: inspection::consistency_parameters,
            takes: None,
            answer: Body::of::<inspection::ConsistencyBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/impersonations",
        scope: Scope::ImpersonationRead,
        permission: "support.impersonation.read",
        step_up: None,
        handler: |method| on(method, impersonation::list),
        words: Words {
            id: "listImpersonations",
            summary: "When support acted or asks to act as somebody: its own, or the clinic's",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<impersonation::GrantsBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/impersonations",
        scope: Scope::ImpersonationWrite,
        permission: "support.impersonation.request",
        step_up: None,
        handler: |method| on(method, impersonation::request),
        words: Words {
            id: "requestImpersonation",
            summary: "Support asks to act as a member of a clinic",
            parameters: Vec::new,
            takes: Some(Body::of::<impersonation::NewBody>()),
            answer: Body::of::<impersonation::GrantBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/impersonations/{id}/approve",
        scope: Scope::ImpersonationWrite,
        permission: "support.impersonation.approve",
        step_up: Some(Duration::from_mins(5)),
        handler: |method| on(method, impersonation::approve),
        words: Words {
            id: "approveImpersonation",
            summary: "The clinic lets support act",
            parameters: impersonation::parameters,
            takes: None,
            answer: Body::of::<impersonation::GrantBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/impersonations/{id}/refuse",
        scope: Scope::ImpersonationWrite,
        permission: "support.impersonation.approve",
        step_up: None,
        handler: |method| on(method, impersonation::refuse),
        words: Words {
            id: "refuseImpersonation",
            summary: "The clinic does not let support act",
            parameters: impersonation::parameters,
            takes: None,
            answer: Body::of::<impersonation::GrantBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/impersonations/{id}/start",
        scope: Scope::ImpersonationWrite,
        permission: "support.impersonation.request",
        step_up: Some(Duration::from_mins(5)),
        handler: |method| on(method, impersonation::start),
        words: Words {
            id: "startImpersonation",
            summary: "The minutes of an approved grant begin; the person is told",
            parameters: impersonation::parameters,
            takes: None,
            answer: Body::of::<impersonation::GrantBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/impersonations/{id}/end",
        scope: Scope::ImpersonationWrite,
        permission: "support.impersonation.end",
        step_up: None,
        handler: |method| on(method, impersonation::end),
        words: Words {
            id: "endImpersonation",
            summary: "Ends a grant at once, from either side",
            parameters: impersonation::parameters,
            takes: None,
            answer: Body::of::<impersonation::GrantBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/emergency-accesses",
        scope: Scope::VisitsRead,
        permission: "visits.emergency.open",
        step_up: Some(Duration::from_mins(5)),
        handler: |method| on(method, emergency::open),
        words: Words {
            id: "openEmergencyAccess",
            summary: "Opens a record to a clinician in an emergency; who reviews is told at once",
            parameters: Vec::new,
            takes: Some(Body::of::<emergency::NewAccess>()),
            answer: Body::of::<emergency::AccessBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/emergency-accesses",
        scope: Scope::VisitsRead,
        permission: "visits.emergency.read",
        step_up: None,
        handler: |method| on(method, emergency::list),
        words: Words {
            id: "listEmergencyAccesses",
            summary: "The caller's open ones, or what waits for a review; on the record",
            parameters: emergency::parameters,
            takes: None,
            answer: Body::of::<emergency::AccessesBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/emergency-accesses/{id}/close",
        scope: Scope::VisitsRead,
        permission: "visits.emergency.open",
        step_up: None,
        handler: |method| on(method, emergency::close),
        words: Words {
            id: "closeEmergencyAccess",
            summary: "Closes the caller's own before its time",
            parameters: emergency::which,
            takes: None,
            answer: Body::of::<emergency::AccessBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/emergency-accesses/{id}/review",
        scope: Scope::VisitsRead,
        permission: "visits.emergency.review",
        step_up: Some(Duration::from_mins(5)),
        handler: |method| on(method, emergency::review),
        words: Words {
            id: "reviewEmergencyAccess",
            summary: "Signs off another's that is over, once",
            parameters: emergency::which,
            takes: Some(Body::of::<emergency::NewReview>()),
            answer: Body::of::<emergency::AccessBody>(),
        },
    },
];

impl Route {
    /// What is asked of every caller, whatever the clinic.
    fn guard(&self) -> Guard {
        let guard = Guard::scope(self.scope.name()).and(Guard::permission(self.permission));
        match self.step_up {
            Some(lately) => guard.and(Guard::acr([ACR_MFA])).and(Guard::max_age(lately)),
            None => guard,
        }
    }

    fn mounted(&self, guard: Guard) -> MethodRouter<App> {
        let method = MethodFilter::try_from(self.method.clone()).expect("a method of the standard");
        (self.handler)(method).route_layer(guard)
    }
}

/// The `aud` of tokens for this API: its address.
pub fn audience(app: &App) -> String {
    format!("{}/api/v1", app.issuer())
}

/// The routes behind their guards.
///
/// # Errors
/// [`StoreError`] if the roles can't be read.
pub async fn router(app: &App) -> Result<Router<App>, StoreError> {
    let permissions = permissions(app).await?;
    let verifier = Verifier::builder(app.issuer(), audience(app))
        .keys(inside::RingSource(app.clone()))
        .clock(inside::AppClock(app.clone()))
        .activity(inside::InsideSink(app.clone()))
        .permissions(permissions)
        .resource(audience(app))
        .resource_name("Lanyard API")
        .scopes_supported(ROUTES.iter().map(|route| route.scope.name()))
        .build()
        .expect("issuer and audience are not empty");
    tokio::spawn(follow_ring(app.ring_changes(), verifier.clone()));
    let mut api = Router::new();
    for route in &ROUTES {
        let path = format!("/api/v1{}", route.path);
        let path_in_clinic = format!("/api/v1/clinics/{{clinic}}{}", route.path);
        let guard = route.guard();
        let own_clinic = Guard::tenant_in_path(&path_in_clinic, inside::Directory(app.clone()));
        let in_clinic = guard.clone().and(own_clinic);
        api = api
            .route(&path, route.mounted(guard))
            .route(&path_in_clinic, route.mounted(in_clinic));
    }
    let metadata = verifier.metadata_path().to_owned();
    Ok(api
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .layer(middleware::from_fn(inside::note_caller))
        .layer(verifier.layer())
        .route_service(&metadata, verifier.metadata_service())
        .route(openapi::PATH, get(description())))
}

/// What the API offers, for tools: public, and readable by a page of any origin.
fn description() -> impl IntoResponse + Clone {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=3600"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, axum::body::Bytes::from(openapi::text()))
}

/// A key that was withdrawn opens nothing here any more, whatever the verifier's cache may.
async fn follow_ring(mut changes: watch::Receiver<u64>, verifier: Verifier) {
    while changes.changed().await.is_ok() {
        if let Err(error) = verifier.refresh_keys().await {
            tracing::error!(%error, "the API's copy of the keys was not refreshed");
        }
    }
}

async fn permissions(app: &App) -> Result<Permissions, StoreError> {
    let authority = Authority::<Identity>::job(Job::KeyRing).read_only();
    let pairs = app
        .db
        .run(authority, async |tx| {
            membership::list_role_permissions(tx).await
        })
        .await?;
    let mut table: HashMap<String, Vec<String>> = HashMap::new();
    for (role, permission) in pairs {
        table.entry(role).or_default().push(permission);
    }
    Ok(table
        .into_iter()
        .fold(Permissions::new(), |all, (role, keys)| all.role(role, keys)))
}
