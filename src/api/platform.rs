//! What the API offers to the platform's own staff beside what support asks for itself.

use std::time::Duration;

use axum::routing::on;
use http::Method;

use super::Route;
use super::openapi::{Body, Words};
use crate::impersonation::oversight::routes as oversight;
use crate::impersonation::routes as impersonation;
use crate::oidc::scope::Scope;
use crate::platform::routes::{endings, fleet, keys};

/// The list.
pub(super) static ROUTES: [Route; 8] = [
    Route {
        method: Method::GET,
        path: "/impersonations/all",
        scope: Scope::ImpersonationRead,
        permission: "support.impersonation.oversee",
        step_up: None,
        handler: |method| on(method, oversight::list),
        words: Words {
            id: "listAllImpersonations",
            summary: "When support acted or asks to act, in all clinics; not why",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<impersonation::GrantsBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/impersonations/{id}/stop",
        scope: Scope::ImpersonationWrite,
        permission: "support.impersonation.stop",
        step_up: None,
        handler: |method| on(method, oversight::stop),
        words: Words {
            id: "stopImpersonation",
            summary: "The platform ends a grant at once, in whatever clinic",
            parameters: impersonation::parameters,
            takes: None,
            answer: Body::of::<oversight::StoppedBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/impersonations/stop",
        scope: Scope::ImpersonationWrite,
        permission: "support.impersonation.stop",
        step_up: None,
        handler: |method| on(method, oversight::stop_all),
        words: Words {
            id: "stopAllImpersonations",
            summary: "The platform ends all grants of all clinics at once",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<oversight::StoppedBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/verifiers",
        scope: Scope::PlatformRead,
        permission: "platform.verifier.read",
        step_up: None,
        handler: |method| on(method, fleet::list),
        words: Words {
            id: "listVerifiers",
            summary: "Who checks the platform's tokens, and how each stands",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<fleet::VerifiersBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/session-endings",
        scope: Scope::PlatformRead,
        permission: "platform.sessions.read",
        step_up: None,
        handler: |method| on(method, endings::list),
        words: Words {
            id: "listSessionEndings",
            summary: "When everything of a clinic was ended, and whether anything was left",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<endings::EndingsBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/session-endings",
        scope: Scope::PlatformWrite,
        permission: "platform.sessions.end",
        step_up: Some(Duration::from_mins(5)),
        handler: |method| on(method, endings::end),
        words: Words {
            id: "endSessions",
            summary: "Ends all sessions of a clinic, and every token from before",
            parameters: Vec::new,
            takes: Some(Body::of::<endings::NewEnding>()),
            answer: Body::of::<endings::EndingBody>(),
        },
    },
    Route {
        method: Method::GET,
        path: "/signing-keys",
        scope: Scope::PlatformRead,
        permission: "platform.key.read",
        step_up: None,
        handler: |method| on(method, keys::list),
        words: Words {
            id: "listSigningKeys",
            summary: "The keys that are published, and how each stands",
            parameters: Vec::new,
            takes: None,
            answer: Body::of::<keys::KeysBody>(),
        },
    },
    Route {
        method: Method::POST,
        path: "/signing-keys/{kid}/withdraw",
        scope: Scope::PlatformWrite,
        permission: "platform.key.withdraw",
        step_up: Some(Duration::from_mins(5)),
        handler: |method| on(method, keys::withdraw),
        words: Words {
            id: "withdrawSigningKey",
            summary: "Withdraws a key at once: no token that it signed is good",
            parameters: keys::parameters,
            takes: None,
            answer: Body::of::<keys::WithdrawalBody>(),
        },
    },
];
