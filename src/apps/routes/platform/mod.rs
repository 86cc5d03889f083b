//! The platform console's own pages, and who is let in there.

mod acting;
mod admission;
mod endings;
mod fleet;
mod home;

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::routing::{get, post};
use uuid::Uuid;

use crate::apps::api::Member;
use crate::apps::model::ClinicFacts;
use crate::apps::{RelyingParty, policy};
use crate::ids::TenantId;
use crate::pages::paths;

pub(super) use admission::admit;
pub(super) use home::page as home;

/// The platform's own console.
pub(super) fn routes() -> Router<RelyingParty> {
    Router::new()
        .route(
            paths::PLATFORM_SUPPORT,
            get(acting::list).post(acting::request),
        )
        .route(paths::PLATFORM_SUPPORT_START, post(acting::start))
        .route(paths::PLATFORM_SUPPORT_STOP, post(acting::stop))
        .route(paths::PLATFORM_SUPPORT_STOP_ALL, post(acting::stop_all))
        .route(paths::PLATFORM_VERIFIERS, get(fleet::list))
        .route(paths::PLATFORM_ENDINGS, get(endings::list))
        .route(paths::PLATFORM_END_SESSIONS, post(endings::end_sessions))
        .route(paths::PLATFORM_WITHDRAW_KEY, post(endings::withdraw_key))
}

/// Whether he runs the platform.
fn oversees(member: &Member) -> bool {
    member.has_role("super_admin")
}

/// Whether he may ask to act as somebody.
fn is_support(member: &Member) -> bool {
    member.has_role("platform_support")
}

/// The clinic of a short name as somebody typed it, if it is one and is served.
pub(super) async fn clinic_of(rp: &RelyingParty, typed: &str) -> Option<ClinicFacts> {
    let slug = typed.trim().to_ascii_lowercase();
    if slug == ClinicFacts::platform().slug {
        return Some(ClinicFacts::platform());
    }
    if !policy::is_label(&slug) {
        return None;
    }
    let clinic = rp.api().clinic(&slug).await.ok().flatten();
    clinic.filter(|clinic| clinic.slug == slug)
}

/// What these clinics are called; one that is not served, or can't be asked for, by its id.
async fn names_of(rp: &RelyingParty, ids: BTreeSet<Uuid>) -> BTreeMap<Uuid, String> {
    let mut names = BTreeMap::new();
    for id in ids {
        let name = if id == TenantId::PLATFORM.as_uuid() {
            ClinicFacts::platform().name
        } else {
            let clinic = rp.api().clinic(&id.to_string()).await.ok().flatten();
            clinic.map_or_else(|| id.to_string(), |clinic| clinic.name)
        };
        names.insert(id, name);
    }
    names
}
