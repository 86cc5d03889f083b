//! `GET /` of the platform's console.

use axum::response::Response;

use super::{is_support, oversees};
use crate::apps::api::Me;
use crate::apps::routes::door::Door;
use crate::apps::staff::{Impersonations, Verifiers};
use crate::pages::{PlatformHomePage, Refusal, Surroundings};

/// The page.
pub(in crate::apps::routes) async fn page(
    door: &Door,
    around: Surroundings,
    me: &Me,
    access_token: &str,
) -> Response {
    let rp = &door.rp;
    let oversees = oversees(&me.me);
    if !oversees && !is_support(&me.me) {
        // He was let in as somebody else than he is by now.
        let refusal = Refusal {
            status: 403,
            code: "insufficient_role".to_owned(),
        };
        return around.refusal(rp, refusal);
    }
    let path = if oversees {
        "impersonations/all"
    } else {
        "impersonations"
    };
    let grants = rp.api().get::<Impersonations>(path, access_token, false);
    let (grants, verifiers) = if oversees {
        let verifiers = rp.api().get::<Verifiers>("verifiers", access_token, false);
        let (grants, verifiers) = tokio::join!(grants, verifiers);
        (grants, verifiers.ok())
    } else {
        (grants.await, None)
    };
    door.show(&PlatformHomePage {
        around,
        oversees,
        acting: grants.ok().map(|grants| {
            let of = |states: &[&str]| {
                let all = grants.impersonations.iter();
                all.filter(|grant| states.contains(&grant.state.as_str()))
                    .count()
            };
            (of(&["active"]), of(&["requested", "approved"]))
        }),
        verifiers: verifiers.map(|all| {
            let stale = |one: &&_| super::fleet::is_stale(one);
            (
                all.verifiers.len(),
                all.verifiers.iter().filter(stale).count(),
            )
        }),
    })
}
