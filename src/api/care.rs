//! Emergency access and delegations, of the one list.

use std::time::Duration;

use axum::routing::on;
use http::Method;

use super::Route;
use super::openapi::{Body, Words};
use crate::delegation::routes as delegation;
use crate::emergency::patients::routes as patients;
use crate::emergency::routes as emergency;
use crate::oidc::scope::Scope;

pub(super) const OPEN_EMERGENCY_ACCESS: Route = Route {
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
};

pub(super) const LIST_EMERGENCY_ACCESSES: Route = Route {
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
};

pub(super) const SEEK_EMERGENCY_PATIENT: Route = Route {
    method: Method::POST,
    path: "/emergency-accesses/patients",
    scope: Scope::VisitsRead,
    permission: "visits.emergency.open",
    step_up: None,
    handler: |method| on(method, patients::seek),
    words: Words {
        id: "seekEmergencyPatient",
        summary: "Patients whom a clinician may mean in an emergency, by name; on the record",
        parameters: Vec::new,
        takes: Some(Body::of::<patients::SoughtBody>()),
        answer: Body::of::<patients::FoundBody>(),
    },
};

pub(super) const COUNT_EMERGENCY_REVIEWS: Route = Route {
    method: Method::GET,
    path: "/emergency-accesses/waiting",
    scope: Scope::VisitsRead,
    permission: "visits.emergency.review",
    step_up: None,
    handler: |method| on(method, patients::waiting),
    words: Words {
        id: "countEmergencyReviews",
        summary: "How many emergency accesses wait for a review",
        parameters: Vec::new,
        takes: None,
        answer: Body::of::<patients::WaitingBody>(),
    },
};

pub(super) const CLOSE_EMERGENCY_ACCESS: Route = Route {
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
};

pub(super) const REVIEW_EMERGENCY_ACCESS: Route = Route {
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
};

pub(super) const LIST_DELEGATIONS: Route = Route {
    method: Method::GET,
    path: "/delegations",
    scope: Scope::DelegationRead,
    permission: "tenancy.delegation.read",
    step_up: None,
    handler: |method| on(method, delegation::list),
    words: Words {
        id: "listDelegations",
        summary: "Who may act for which patient of the clinic",
        parameters: Vec::new,
        takes: None,
        answer: Body::of::<delegation::DelegationsBody>(),
    },
};

pub(super) const CREATE_DELEGATION: Route = Route {
    method: Method::POST,
    path: "/delegations",
    scope: Scope::DelegationWrite,
    permission: "tenancy.delegation.write",
    step_up: Some(Duration::from_mins(5)),
    handler: |method| on(method, delegation::create),
    words: Words {
        id: "createDelegation",
        summary: "The clinic lets a proxy act for a patient, by a paper that it keeps",
        parameters: Vec::new,
        takes: Some(Body::of::<delegation::NewBody>()),
        answer: Body::of::<delegation::DelegationBody>(),
    },
};

pub(super) const END_DELEGATION: Route = Route {
    method: Method::POST,
    path: "/delegations/{id}/end",
    scope: Scope::DelegationWrite,
    permission: "tenancy.delegation.write",
    step_up: None,
    handler: |method| on(method, delegation::end),
    words: Words {
        id: "endDelegation",
        summary: "The clinic ends a delegation at once",
        parameters: delegation::parameters,
        takes: None,
        answer: Body::of::<delegation::DelegationBody>(),
    },
};

pub(super) const LIST_OWN_DELEGATIONS: Route = Route {
    method: Method::GET,
    path: "/me/delegations",
    scope: Scope::DelegationRead,
    permission: "account.delegation.read",
    step_up: None,
    handler: |method| on(method, delegation::list_own),
    words: Words {
        id: "listOwnDelegations",
        summary: "Who may act for the caller, and for whom she may",
        parameters: Vec::new,
        takes: None,
        answer: Body::of::<delegation::OwnBody>(),
    },
};

pub(super) const NAME_CAREGIVER: Route = Route {
    method: Method::POST,
    path: "/me/delegations",
    scope: Scope::DelegationWrite,
    permission: "account.delegation.write",
    step_up: Some(Duration::from_mins(5)),
    handler: |method| on(method, delegation::name_caregiver),
    words: Words {
        id: "nameCaregiver",
        summary: "A patient lets a caregiver act for her",
        parameters: Vec::new,
        takes: Some(Body::of::<delegation::NewCaregiverBody>()),
        answer: Body::of::<delegation::DelegationBody>(),
    },
};

pub(super) const END_OWN_DELEGATION: Route = Route {
    method: Method::POST,
    path: "/me/delegations/{id}/end",
    scope: Scope::DelegationWrite,
    permission: "account.delegation.write",
    step_up: None,
    handler: |method| on(method, delegation::end_own),
    words: Words {
        id: "endOwnDelegation",
        summary: "The patient, where it is hers, or the proxy ends a delegation at once",
        parameters: delegation::parameters,
        takes: None,
        answer: Body::of::<delegation::DelegationBody>(),
    },
};
